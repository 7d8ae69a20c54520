import { NibbleError } from "../errors.js";
import { bytesOf, format, type FormatName } from "../formats.js";
import type { MetadataEntry, ModelInfo, TensorInfo } from "../sources/model-info.js";
import { chooseType, isQuantized, type Choice, type ChoiceContext } from "./choose-type.js";
import { compileOverrides, findType, type TensorTypeOverride } from "./overrides.js";
import { planWarnings } from "./plan-warnings.js";
import { findRecipe, type RecipeName } from "./recipes.js";
import { layerOf, roleOf } from "./roles.js";
import type { PlannedTensor, QuantizePlan } from "./types.js";

export { summarizePlan, type PlanSummary, type TypeSummary } from "./summary.js";

export interface PlanOptions {
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
}

/**
 * Decides the type of every tensor and the metadata of the output, from headers alone. The decisions and the order
 * are those of llama-quantize, for any architecture.
 *
 * @throws NibbleError ERR_ARGUMENT for an unknown recipe or type or an invalid pattern; ERR_PLAN where the recipe does
 * not fit a tensor, or would requantize one without leave; ERR_UNSUPPORTED for a conversion from or to a type that
 * Nibble only copies.
 */
export function makePlan(source: ModelInfo, options: PlanOptions): QuantizePlan {
  const context = choiceContext(source, options);
  const { recipe } = context;
  const decided = [...source.tensors].sort(byLayerThenName).map((tensor) => {
    const choice = chooseType(tensor, context);
    checkConversion(tensor, choice.to, options.allowRequantize === true);
    return { tensor, choice };
  });
  return {
    source,
    recipe: recipe.name,
    tensors: decided.map(({ tensor, choice }) => plannedTensor(tensor, choice)),
    metadata: outputMetadata(source.metadata, recipe.fileType),
    warnings: planWarnings(decided, context),
  };
}

function choiceContext(source: ModelInfo, options: PlanOptions): ChoiceContext {
  const { outputTensorType, tokenEmbeddingType } = options;
  const architecture = metadataValue(source, "general.architecture");
  const named = typeof architecture === "string" ? architecture : "";
  return {
    recipe: findRecipe(options.recipe),
    container: source.container,
    architecture: named,
    experts: Number(metadataValue(source, `${named}.expert_count`) ?? 0),
    tied: !source.tensors.some(({ name }) => roleOf(name) === "output"),
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

function metadataValue(source: ModelInfo, key: string): MetadataEntry["value"] | undefined {
  return source.metadata.find((entry) => entry.key === key)?.value;
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

/** A split model becomes one file. */
const droppedKeys = new Set(["split.no", "split.count", "split.tensors.count"]);

/** The source's entries in their order; what quantizing sets comes last. */
function outputMetadata(
  entries: readonly MetadataEntry[],
  fileType: number,
): readonly MetadataEntry[] {
  const set: readonly MetadataEntry[] = [
    { key: "general.quantization_version", type: "u32", value: 2 },
    { key: "general.file_type", type: "u32", value: fileType },
  ];
  const gone = new Set([...droppedKeys, ...set.map(({ key }) => key)]);
  return [...entries.filter(({ key }) => !gone.has(key)), ...set];
}
