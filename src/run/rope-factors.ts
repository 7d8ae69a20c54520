import { open } from "node:fs/promises";
import { ioError } from "../errors.js";
import type { ModelInfo } from "../sources/model-info.js";
import { damaged } from "./graph-errors.js";
import type { Tensors } from "./graph-places.js";

/** Tensors that divide the frequencies of rotary embedding, pair by pair. */
export interface RopeFactors {
  readonly always: Float32Array | undefined;
  /** In contexts of at most the original length, and in longer ones. */
  readonly short: Float32Array | undefined;
  readonly long: Float32Array | undefined;
}

const names = {
  always: "rope_freqs.weight",
  short: "rope_factors_short.weight",
  long: "rope_factors_long.weight",
} as const;

/** They are read here, and so have no place in the graph. */
export const ropeFactorNames: readonly string[] = Object.values(names);

/**
 * The only values that the native engine reads of a model in JS.
 *
 * @param pairs of values that are turned, and so factors.
 * @throws NibbleError ERR_FORMAT for a tensor of another shape or with a factor that is not above 0, ERR_IO.
 */
export async function readRopeFactors(
  info: ModelInfo,
  tensors: Tensors,
  pairs: number,
): Promise<RopeFactors> {
  return {
    always: await readFactors(info, tensors, names.always, pairs),
    short: await readFactors(info, tensors, names.short, pairs),
    long: await readFactors(info, tensors, names.long, pairs),
  };
}

async function readFactors(
  info: ModelInfo,
  tensors: Tensors,
  name: string,
  pairs: number,
): Promise<Float32Array | undefined> {
  const tensor = tensors.get(name);
  const piece = tensor?.pieces[0];
  if (tensor === undefined || piece === undefined) return undefined;
  if (tensor.type !== "F32" || tensor.shape.length !== 1 || tensor.shape[0] !== pairs) {
    const found = `${tensor.type} [${tensor.shape.join(", ")}]`;
    throw damaged(info.path, name, `is ${found}, and has to be F32 [${pairs}]`);
  }
  const path = info.files[piece.file]?.path ?? info.path;
  const factors = new Float32Array(pairs);
  try {
    const file = await open(path);
    try {
      const bytes = new Uint8Array(factors.buffer);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, piece.offset);
      if (bytesRead < bytes.length) throw damaged(path, name, "ends early");
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(error, path, "read");
  }
  if (factors.some((factor) => !(factor > 0 && factor < Infinity))) {
    throw damaged(info.path, name, "has a factor that is not above 0");
  }
  return factors;
}
