import { createHash, type Hash } from "node:crypto";
import type { LongCallOptions } from "../progress.js";
import type { ModelInfo } from "../sources/model-info.js";
import { byteProgress } from "./byte-progress.js";
import { readTensors } from "./read-tensors.js";

/**
 * The sha256 of every tensor's bytes, in hexadecimal, in the order of `model.tensors`. `whole` gets them all, too.
 *
 * @throws NibbleError ERR_IO, ERR_FORMAT where a file became shorter; `signal.reason` on abort.
 */
export async function hashTensors(
  model: ModelInfo,
  options: LongCallOptions,
  whole?: Hash,
): Promise<string[]> {
  const total = model.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const sums: string[] = [];
  const report = byteProgress("hash", total, options);
  let hash = createHash("sha256");
  for await (const chunk of readTensors(model.files, model.tensors, options.signal)) {
    const { tensor, bytes, isLast } = chunk;
    hash.update(bytes);
    whole?.update(bytes);
    report(bytes.length, tensor.name);
    if (!isLast) continue;
    sums.push(hash.digest("hex"));
    hash = createHash("sha256");
  }
  return sums;
}
