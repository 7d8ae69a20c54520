import type { FormatName } from "../formats.js";
import type { MetadataEntry, ModelInfo, TensorInfo } from "../sources/model-info.js";
import type { ImportanceCoverage } from "./importance-coverage.js";
import type { RecipeName } from "./recipes.js";

/** What happens to one tensor, and why. */
export interface PlannedTensor {
  readonly name: string;
  /** GGUF order: shape[0] values in a row. */
  readonly shape: readonly number[];
  readonly from: FormatName;
  readonly to: FormatName;
  /** Bytes of the tensor in the output. */
  readonly bytes: number;
  /** In a few words: "recipe", "output as Q6_K", "row of 172 is no multiple of 32 (Q4_0)", "--tensor-type ...". */
  readonly reason: string;
}

/** Every decision of a quantization, made from headers alone. */
export interface QuantizePlan {
  /** The model as it goes into the output: with the tensors that are left, under their new names. */
  readonly source: ModelInfo;
  readonly recipe: RecipeName;
  readonly tensors: readonly PlannedTensor[];
  /** Tensors in each file of a split output, in order, a first file with none included; absent where it is one file. */
  readonly parts?: readonly number[];
  /** The output's metadata, in the order in which it is written; the files' `split.*` come after them. */
  readonly metadata: readonly MetadataEntry[];
  /** Experts x columns of every tensor that is quantized with importance. Not enumerable. */
  readonly importance?: ReadonlyMap<string, Float32Array>;
  /** What the importance matrix, if there is one, knows of the tensors that are quantized. */
  readonly importanceCoverage?: ImportanceCoverage;
  /** Things that the user should know: a regex that matched nothing, fallbacks, requantizing. */
  readonly warnings: readonly string[];
}

/** The source's tensor of a planned one. */
export type SourceTensor = TensorInfo;
