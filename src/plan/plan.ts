import { NibbleError } from "../errors.js";
import { bytesOf, format, type FormatName } from "../formats.js";
import type { ImportanceMatrix } from "../imatrix/types.js";
import type { MetadataEntry, ModelInfo, TensorInfo } from "../sources/model-info.js";
import { splitKeys } from "../sources/split-gguf.js";
import { chooseTypes, isQuantized, type Choice, type ChoiceContext } from "./choose-type.js";
import {
  columnImportance,
  importanceMetadata,
  selectEntries,
  type ImportanceSelection,
} from "./column-importance.js";
import { missingImportanceError, needsImportance } from "./importance.js";
import { modelFacts } from "./model-facts.js";
import { compileOverrides, findType, type TensorTypeOverride } from "./overrides.js";
import { importanceWarnings, planWarnings, type Decided } from "./plan-warnings.js";
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
  /** Plans as if there were an importance matrix, or none; by default as there is. */
  readonly hasImportance?: boolean | undefined;
}

/**
 * Decides the type of every tensor and the metadata of the output, from headers alone. The decisions and the order
 * are those of llama-quantize, for any architecture.
 *
 * @throws NibbleError ERR_ARGUMENT for an unknown recipe or type or an invalid pattern; ERR_PLAN where the recipe does
 * not fit a tensor, needs an importance matrix that is not given, is given that of another model, or would requantize
 * without leave; ERR_UNSUPPORTED for a conversion from or to a type that Nibble only copies.
 */
export function makePlan(source: ModelInfo, options: PlanOptions): QuantizePlan {
  const context = choiceContext(source, options);
  const { recipe } = context;
  const decided = decide(source.tensors, context);
  const importance = planImportance(decided, options);
  if (options.hasImportance !== true) checkImportance(decided, recipe, importance);
  for (const { tensor, choice } of decided) {
    checkConversion(tensor, choice.to, options.allowRequantize === true);
  }
  const plan: QuantizePlan = {
    source,
    recipe: recipe.name,
    tensors: decided.map(({ tensor, choice }) => plannedTensor(tensor, choice)),
    metadata: [...outputMetadata(source.metadata, recipe.fileType), ...matrixMetadata(options)],
    warnings: [
      ...planWarnings(decided, context),
      ...importanceWarnings(decided, importance, options),
    ],
  };
  // Not enumerable: a plan that is printed is about tensors, not about their columns.
  return Object.defineProperty(plan, "importance", { value: importance });
}

/** The importance of the columns of every tensor that is quantized and has an entry. */
function planImportance(
  decided: readonly Decided[],
  options: PlanOptions,
): ReadonlyMap<string, Float32Array> {
  const found = new Map<string, Float32Array>();
  if (options.imatrix === undefined) return found;
  const entries = selectEntries(options.imatrix, options);
  for (const { tensor, choice } of decided) {
    const entry = entries.get(tensor.name);
    if (entry === undefined || tensor.type === choice.to || !isQuantized(choice.to)) continue;
    const importance = columnImportance(tensor, entry);
    if (importance !== undefined) found.set(tensor.name, importance);
  }
  return found;
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
export function decideTypes(source: ModelInfo, options: PlanOptions): readonly Decided[] {
  return decide(source.tensors, choiceContext(source, options));
}

function decide(tensors: readonly TensorInfo[], context: ChoiceContext): readonly Decided[] {
  const ordered = [...tensors].sort(byLayerThenName);
  const choices = chooseTypes(ordered, context);
  return ordered.map((tensor, i) => ({ tensor, choice: choices[i] as Choice }));
}

function choiceContext(source: ModelInfo, options: PlanOptions): ChoiceContext {
  const { outputTensorType, tokenEmbeddingType } = options;
  return {
    ...modelFacts(source),
    recipe: findRecipe(options.recipe),
    container: source.container,
    hasImportance:
      options.hasImportance ??
      (options.imatrix !== undefined && selectEntries(options.imatrix, options).size > 0),
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

/** The source's entries in their order; what quantizing sets comes last. */
function outputMetadata(
  entries: readonly MetadataEntry[],
  fileType: number | null,
): readonly MetadataEntry[] {
  const set: MetadataEntry[] = [{ key: "general.quantization_version", type: "u32", value: 2 }];
  if (fileType !== null) set.push({ key: "general.file_type", type: "u32", value: fileType });
  // A split model becomes one file.
  const gone = new Set([...splitKeys, ...set.map(({ key }) => key)]);
  // What the source was quantized with is not what this file is.
  const stays = ({ key }: MetadataEntry) => !gone.has(key) && !key.startsWith("quantize.imatrix.");
  return [...entries.filter(stays), ...set];
}
