import { NibbleError } from "../errors.js";
import type { FormatName } from "../formats.js";
import { formatError, readSpan } from "./byte-source.js";
import { encodedWeight, partOf, type Parts } from "./hf-encodings.js";
import { readQuantization, type Quantization } from "./hf-quantization.js";
import type { JsonFile } from "./json-file.js";
import type { Piece, SourceFile, TensorTransform } from "./model-info.js";
import { readSafetensorsDirectory, weightType, type SafeTensor } from "./safetensors.js";

/** A weight of a Hugging Face model as its files have it, all parts of a quantized one together. */
export interface HfWeight {
  /** Hugging Face's, `….weight` also where the parts are qweight, qzeros and scales. */
  readonly name: string;
  /** Hugging Face's order: slowest dimension first. */
  readonly shape: readonly number[];
  readonly type: FormatName;
  /** In the source. */
  readonly bytes: number;
  readonly pieces: readonly Piece[];
  readonly transform?: TensorTransform;
  /** Why it cannot be converted; to be thrown by whoever needs it (models have buffers that nobody does). */
  readonly unreadable?: NibbleError;
}

/**
 * The weights of a directory: the headers of its safetensors, and what is quantized put together by its configuration.
 *
 * @throws NibbleError ERR_FORMAT where files or shapes do not fit each other, ERR_UNSUPPORTED for a quantization that is not
 * decoded, ERR_IO (a missing shard); `signal.reason` on abort.
 */
export async function readWeights(
  path: string,
  fileNames: readonly string[],
  config: JsonFile,
  signal?: AbortSignal,
): Promise<{ tensors: readonly HfWeight[]; files: readonly SourceFile[] }> {
  const named = await readQuantization(path, config, signal);
  const { files, tensors } = await readSafetensorsDirectory(path, fileNames, signal);
  const quantization = named ?? unnamed(tensors);
  const parts = joinParts(tensors, files, quantization);
  const computeType = computeTypeOf(config);
  const weights: HfWeight[] = [];
  for (const [name, group] of parts) {
    const [some] = Object.values(group) as [SafeTensor];
    const file = files[some.file]?.path ?? path;
    if (quantization === undefined || isPlain(group)) {
      weights.push(plainWeight(some, file));
      continue;
    }
    const shape =
      group.shape && (await integers(group.shape, files[group.shape.file]?.path ?? path, signal));
    const encoded = encodedWeight({ name, path: file, parts: group, quantization, shape });
    const bytes = encoded.pieces.reduce((sum, piece) => sum + piece.bytes, 0);
    weights.push({ name, type: computeType, ...encoded, bytes });
  }
  return { tensors: weights, files };
}

/** FP8 that no configuration mentions is as plain as FP8 can be. */
function unnamed(tensors: readonly SafeTensor[]): Quantization | undefined {
  return tensors.some(({ dtype }) => isFp8(dtype)) ? { method: "bytes", blocks: [] } : undefined;
}

function isFp8(dtype: string): boolean {
  return dtype === "F8_E4M3" || dtype === "F8_E5M2";
}

function isPlain({ weight, ...others }: Parts): boolean {
  return weight !== undefined && !isFp8(weight.dtype) && Object.keys(others).length === 0;
}

function joinParts(
  tensors: readonly SafeTensor[],
  files: readonly SourceFile[],
  quantization: Quantization | undefined,
): ReadonlyMap<string, Parts> {
  const weights = new Map<string, Parts>();
  for (const tensor of tensors) {
    const found = partOf(tensor.name, quantization?.method);
    if (found === undefined) continue;
    const parts = weights.get(found.weight) ?? {};
    const other = parts[found.part];
    if (other !== undefined) {
      const path = files[tensor.file]?.path ?? "";
      throw formatError(path, `tensor ${tensor.name}`, `is the same part as ${other.name}`);
    }
    weights.set(found.weight, { ...parts, [found.part]: tensor });
  }
  return weights;
}

/** What GGUF calls the types of tensors that are no weights. */
const otherTypes: Readonly<Record<string, FormatName>> = {
  ...{ BOOL: "I8", U8: "I8", I8: "I8", U16: "I16", I16: "I16", U32: "I32", I32: "I32" },
  ...{ U64: "I64", I64: "I64", F64: "F64", F8_E8M0: "I8" },
};

/** A tensor of a safetensors file as it is; what cannot be converted says so when it is needed. */
export function plainWeight(tensor: SafeTensor, path: string): HfWeight {
  const { name, shape, file, offset, bytes } = tensor;
  const weight = { name, shape, bytes, pieces: [{ file, offset, bytes }] };
  const other = otherTypes[tensor.dtype];
  if (other === undefined) {
    const type = weightType(tensor, path);
    if (shape.length >= 1 && shape.length <= 4 && bytes > 0) return { ...weight, type };
    const problem = `has the shape [${shape.join(", ")}]`;
    return { ...weight, type, unreadable: formatError(path, `tensor ${name}`, problem) };
  }
  const unreadable = new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: tensor ${name} has type ${tensor.dtype}; Nibble converts weights of F32, F16, BF16 and FP8: ` +
      "take the unquantized weights of the model",
    { what: `type of tensor ${name}`, value: tensor.dtype },
  );
  return { ...weight, type: other, unreadable };
}

const computeTypes: Readonly<Record<string, FormatName>> = {
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
};

function computeTypeOf(config: JsonFile): FormatName {
  const name = config.object["torch_dtype"] ?? config.object["dtype"];
  return (typeof name === "string" ? computeTypes[name] : undefined) ?? "BF16";
}

/** The values of a tensor of a few integers. */
async function integers(
  tensor: SafeTensor,
  path: string,
  signal: AbortSignal | undefined,
): Promise<readonly number[]> {
  const each = { I64: 8, I32: 4 }[tensor.dtype];
  if (each === undefined || tensor.shape.length !== 1 || tensor.bytes !== 2 * each) {
    throw formatError(path, `tensor ${tensor.name}`, "is no pair of integers");
  }
  const bytes = await readSpan(path, tensor.offset, tensor.bytes, signal);
  const values = [0, each].map((at) =>
    each === 8 ? Number(bytes.readBigInt64LE(at)) : bytes.readInt32LE(at),
  );
  if (values.every((value) => Number.isSafeInteger(value) && value >= 1)) return values;
  throw formatError(
    path,
    `tensor ${tensor.name}`,
    `is no shape: ${values.join(" x ")}`,
    tensor.offset,
  );
}
