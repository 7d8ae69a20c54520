import { NibbleError } from "../errors.js";
import { bytesOf, format, type FormatName } from "../formats.js";
import type { ImportanceMatrix } from "../imatrix/types.js";
import type { MetadataEntry, ModelInfo, TensorInfo } from "../sources/model-info.js";
import { adapterWarnings, fileTypeOf } from "./adapter.js";
import { chooseTypes, isQuantized, type Choice, type ChoiceContext } from "./choose-type.js";
import {
  columnImportance,
  importanceMetadata,
  selectEntries,
  type ImportanceSelection,
} from "./column-importance.js";
import { missingImportanceError, needsImportance } from "./importance.js";
import { importanceCoverage, type ImportanceCoverage } from "./importance-coverage.js";
import { checkBlockCount, checkOverrides } from "./metadata-overrides.js";
import { architectureOf, layersBySight, modelFacts, type ModelFacts } from "./model-facts.js";
import { outputMetadata, overridden } from "./output-metadata.js";
import { compileOverrides, findType, type TensorTypeOverride } from "./overrides.js";
import { importanceWarnings, planWarnings, type Decided } from "./plan-warnings.js";
import { pruneLayers, type Pruned } from "./prune-layers.js";
import { findRecipe, type Recipe, type RecipeName } from "./recipes.js";
import { layerOf } from "./roles.js";
import type { PlannedTensor, QuantizePlan } from "./types.js";

export { summarizePlan, type PlanSummary, type TypeSummary } from "./summary.js";

export interface PlanOptions extends ImportanceSelection {
  readonly recipe: RecipeName;
  /** The recipe's type for every tensor, without its exceptions. */
  readonly pure?: boolean | undefined;
  /** `output.weight` keeps its type. */
  readonly leaveOutputTensor?: boolean | undefined;
  /** Tensor type of the output (or of the tied embedding), in place of the recipe's. */
  readonly outputTensorType?: string | undefined;
  /** Tensor type of the token embedding, in place of the recipe's. */
  readonly tokenEmbeddingType?: string | undefined;
  /** Types by name; the first whose pattern is found counts. Recipes that do not quantize ignore them. */
  readonly tensorTypes?: readonly TensorTypeOverride[] | undefined;
  /** Quantize again what is quantized already, which costs quality. */
  readonly allowRequantize?: boolean | undefined;
  /** How much the columns of the tensors count: some recipes choose other types with one, and some refuse without. */
  readonly imatrix?: ImportanceMatrix | undefined;
  /** What the output's metadata call the file of the matrix: a name, no path. */
  readonly imatrixName?: string | undefined;
  /**
   * The output has as many files as a split source, with the same tensors in each; a source that is one file stays one.
   * The tensors keep the source's order, which also decides what recipes count, as in llama-quantize.
   */
  readonly keepSplit?: boolean | undefined;
  /**
   * Numbers of layers to leave out, counted from 0; the others are numbered anew. Recipes count as llama-quantize does: the
   * model's layers (of which an eighth gets more bits) are those of the source, tensors and the layers' numbers those that
   * are left, and what is asked of the first layer's heads is asked of the source's. Entries of `imatrix` and the texts that
   * select them have the source's numbers, `tensorTypes` the new ones.
   */
  readonly pruneLayers?: readonly number[] | undefined;
  /**
   * Metadata in place of the source's. As in llama-quantize the choice of types reads them too: other numbers of experts or
   * heads give other types. What the tensors decide (alignment, split, number of layers) cannot be set otherwise.
   */
  readonly overrideKv?: readonly MetadataEntry[] | undefined;
}

/** What the choice of types alone can be asked. */
export interface DecideOptions extends PlanOptions {
  /** Decides as if there were an importance matrix, or none; by default as there is. */
  readonly hasImportance?: boolean | undefined;
}

/**
 * Decides the type of every tensor and the metadata of the output, from headers alone. The decisions and the order
 * are those of llama-quantize, for any architecture.
 *
 * @throws NibbleError ERR_ARGUMENT for an unknown recipe or type, an invalid pattern, and metadata that cannot be set;
 * ERR_PLAN where the recipe does not fit a tensor, needs an importance matrix that is not given, is given that of another
 * model, would requantize without leave, or layers are pruned that are not there; ERR_UNSUPPORTED for a conversion from or
 * to a type that Nibble only copies.
 */
export function makePlan(source: ModelInfo, options: PlanOptions): QuantizePlan {
  const edited = editSource(source, options);
  const context = choiceContext(edited, options);
  const { recipe } = context;
  const decided = decide(edited.model, context, options);
  const importance = planImportance(decided, edited, options);
  checkImportance(decided, recipe, importance.columns);
  for (const { tensor, choice } of decided) {
    checkConversion(tensor, choice.to, options.allowRequantize === true);
  }
  const parts = keepsFiles(edited.model, options) ? tensorsPerFile(decided) : [];
  const { blockCount } = edited;
  const plan: QuantizePlan = {
    source: edited.model,
    recipe: recipe.name,
    tensors: decided.map(({ tensor, choice }) => plannedTensor(tensor, choice)),
    ...(parts.length > 1 && { parts }),
    metadata: outputMetadata(edited.metadata, fileTypeOf(edited.metadata, recipe), [
      ...(options.overrideKv ?? []),
      ...matrixMetadata(options),
      ...(blockCount === undefined ? [] : [blockCount]),
    ]),
    ...(importance.coverage !== undefined && { importanceCoverage: importance.coverage }),
    warnings: [
      ...planWarnings(decided, context),
      ...adapterWarnings(edited.metadata, edited.model.tensors),
      ...importanceWarnings(importance.coverage),
      ...edited.warnings,
    ],
  };
  // Not enumerable: a plan that is printed is about tensors, not about their columns.
  return Object.defineProperty(plan, "importance", { value: importance.columns });
}

/** A source as far as it goes into the output. */
interface EditedSource extends Pick<Pruned, "metadata" | "rename" | "warnings"> {
  /** With the tensors that are left, under their new names. */
  readonly model: ModelInfo;
  readonly facts: ModelFacts;
  readonly blockCount?: MetadataEntry;
}

function editSource(source: ModelInfo, options: PlanOptions): EditedSource {
  const { overrideKv = [], pruneLayers: layers = [] } = options;
  checkOverrides(overrideKv);
  const metadata = overridden(source.metadata, overrideKv);
  const architecture = architectureOf(metadata);
  checkBlockCount(overrideKv, architecture, layersBySight(source.tensors));
  const pruned =
    layers.length === 0
      ? { ...source, rename: (name: string) => name, warnings: [] }
      : pruneLayers(source, architecture, layers);
  const model = { ...source, tensors: pruned.tensors };
  return { ...pruned, model, facts: modelFacts({ ...model, metadata }) };
}

interface PlannedImportance {
  /** Experts x columns of every tensor that is quantized and has an entry. */
  readonly columns: ReadonlyMap<string, Float32Array>;
  readonly coverage?: ImportanceCoverage;
}

function planImportance(
  decided: readonly Decided[],
  { rename }: EditedSource,
  options: PlanOptions,
): PlannedImportance {
  const columns = new Map<string, Float32Array>();
  if (options.imatrix === undefined) return { columns };
  const selected = selectEntries(options.imatrix, options);
  const entries = new Map(
    [...selected].flatMap(([name, entry]) => {
      const now = rename(name);
      return now === undefined ? [] : [[now, entry] as const];
    }),
  );
  const quantized = decided.filter(
    ({ tensor, choice }) => tensor.type !== choice.to && isQuantized(choice.to),
  );
  for (const { tensor } of quantized) {
    const entry = entries.get(tensor.name);
    const importance = entry && columnImportance(tensor, entry);
    if (importance !== undefined) columns.set(tensor.name, importance);
  }
  const names = quantized.map(({ tensor }) => tensor.name);
  return { columns, coverage: importanceCoverage(names, entries, columns, selected.size) };
}

function matrixMetadata(options: PlanOptions): readonly MetadataEntry[] {
  const { imatrix, imatrixName } = options;
  if (imatrix === undefined) return [];
  return importanceMetadata(imatrix, selectEntries(imatrix, options).size, imatrixName);
}

/**
 * The types alone, in the order of the output, whether or not they can be made.
 *
 * @throws NibbleError as `makePlan` does for its options, and ERR_PLAN where rows fit neither a type nor its fallback.
 */
export function decideTypes(source: ModelInfo, options: DecideOptions): readonly Decided[] {
  const edited = editSource(source, options);
  const context = choiceContext(edited, options);
  const { hasImportance = context.hasImportance } = options;
  return decide(edited.model, { ...context, hasImportance }, options);
}

function decide(
  model: ModelInfo,
  context: ChoiceContext,
  options: PlanOptions,
): readonly Decided[] {
  const order = keepsFiles(model, options) ? byPlace : byLayerThenName;
  const ordered = [...model.tensors].sort(order);
  const choices = chooseTypes(ordered, context);
  return ordered.map((tensor, i) => ({ tensor, choice: choices[i] as Choice }));
}

function choiceContext({ model, facts }: EditedSource, options: PlanOptions): ChoiceContext {
  const { outputTensorType, tokenEmbeddingType } = options;
  return {
    ...facts,
    recipe: findRecipe(options.recipe),
    container: model.container,
    hasImportance:
      options.imatrix !== undefined && selectEntries(options.imatrix, options).size > 0,
    pure: options.pure === true,
    leaveOutputTensor: options.leaveOutputTensor === true,
    outputTensorType: optionalType("--output-tensor-type", outputTensorType),
    tokenEmbeddingType: optionalType("--token-embedding-type", tokenEmbeddingType),
    overrides: compileOverrides(options.tensorTypes ?? []),
  };
}

function optionalType(option: string, name: string | undefined): FormatName | undefined {
  return name === undefined ? undefined : findType(option, name);
}

/** The order of a file by llama-quantize: what is outside of the layers first, then by layer; names by their bytes. */
function byLayerThenName(a: TensorInfo, b: TensorInfo): number {
  const layers = layerOf(a.name) - layerOf(b.name);
  return layers !== 0 ? layers : Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}

function keepsFiles({ container, files }: ModelInfo, { keepSplit }: PlanOptions): boolean {
  return keepSplit === true && container === "gguf" && files.length > 1;
}

/** The order in the files of a split model. */
function byPlace({ pieces: [a] }: TensorInfo, { pieces: [b] }: TensorInfo): number {
  const files = (a?.file ?? 0) - (b?.file ?? 0);
  return files !== 0 ? files : (a?.offset ?? 0) - (b?.offset ?? 0);
}

/** Tensors in each file of a split model; of the files but the first, those that lost all their tensors are left out. */
function tensorsPerFile(decided: readonly Decided[]): readonly number[] {
  const counts: number[] = [0];
  for (const { tensor } of decided) {
    const file = tensor.pieces[0]?.file ?? 0;
    counts[file] = (counts[file] ?? 0) + 1;
  }
  return counts.filter((count, file) => file === 0 || count > 0);
}

function plannedTensor({ name, shape, type }: TensorInfo, { to, reason }: Choice): PlannedTensor {
  const [perRow = 1, ...others] = shape;
  const rows = others.reduce((product, length) => product * length, 1);
  return { name, shape, from: type, to, bytes: bytesOf(to, perRow, rows), reason };
}

function checkImportance(
  decided: readonly Decided[],
  recipe: Recipe,
  importance: ReadonlyMap<string, Float32Array>,
): void {
  const needy = decided.find(
    ({ tensor, choice }) =>
      tensor.type !== choice.to &&
      !importance.has(tensor.name) &&
      needsImportance(tensor.name, choice.to, recipe),
  );
  if (needy !== undefined) throw missingImportanceError(needy.tensor.name, needy.choice.to);
}

function checkConversion(
  { name, type }: TensorInfo,
  to: FormatName,
  allowRequantize: boolean,
): void {
  if (type === to) return;
  const opaque = [type, to].find((either) => !format(either).codec);
  if (opaque !== undefined) {
    const remedy = `keep it as it is with --tensor-type REGEX=${type}, or take another file or type`;
    throw new NibbleError(
      "ERR_UNSUPPORTED",
      `${name}: cannot convert ${type} to ${to}: Nibble can only copy tensors of type ${opaque}; ${remedy}`,
      { what: `conversion of ${name}`, value: opaque },
    );
  }
  if (isQuantized(type) && !allowRequantize) {
    const reason = `it is quantized already, as ${type}`;
    throw new NibbleError(
      "ERR_PLAN",
      `${name}: ${reason}, and quantizing it again to ${to} costs quality; ` +
        "start from an F16, BF16 or F32 file, or allow it with --allow-requantize",
      { tensor: name, type: to, reason },
    );
  }
}
