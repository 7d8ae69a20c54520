import { createHash } from "node:crypto";
import { argumentError } from "../errors.js";
import type { FormatName } from "../formats.js";
import type { LongCallOptions } from "../progress.js";
import { openSource } from "../sources/open.js";
import { hashTensors } from "./hash-tensors.js";

export interface HashedTensor {
  readonly name: string;
  readonly type: FormatName;
  readonly bytes: number;
  /** Of the tensor's bytes, in hexadecimal. */
  readonly sha256: string;
}

export interface HashReport {
  readonly path: string;
  /**
   * Of the bytes of all tensors one after the other, in hexadecimal: without metadata and padding, so that a split model
   * and the same in one file have the same.
   */
  readonly sha256: string;
  readonly tensors: readonly HashedTensor[];
}

/**
 * The sha256 of every tensor of a GGUF, and of them all.
 *
 * @throws NibbleError ERR_ARGUMENT where it is no GGUF; ERR_FORMAT, ERR_UNSUPPORTED, ERR_IO; `signal.reason` on abort.
 */
export async function hashModel(path: string, options: LongCallOptions = {}): Promise<HashReport> {
  const model = await openSource(path, { signal: options.signal });
  if (model.container !== "gguf") throw argumentError("model", "a GGUF file", path);
  const whole = createHash("sha256");
  const sums = await hashTensors(model, options, whole);
  const tensors = model.tensors.map(({ name, type, bytes }, i) => ({
    ...{ name, type, bytes },
    sha256: sums[i] as string,
  }));
  return { path, sha256: whole.digest("hex"), tensors };
}
