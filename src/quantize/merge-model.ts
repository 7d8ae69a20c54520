import { argumentError } from "../errors.js";
import type { LongCallOptions } from "../progress.js";
import type { ModelInfo } from "../sources/model-info.js";
import { openSource } from "../sources/open.js";
import { splitKeys } from "../sources/split-gguf.js";
import { byteProgress } from "./byte-progress.js";
import { checkOutputs, layoutOf, writeGgufs, type GgufContent } from "./write-gguf.js";

export interface CopyOptions extends LongCallOptions {
  /** Path of the GGUF to write. */
  readonly output: string;
  /** Replace the output if it exists. Default false. */
  readonly overwrite?: boolean | undefined;
  /** Write nothing; the report tells what would be written. Default false. */
  readonly dryRun?: boolean | undefined;
}

export interface MergeReport {
  readonly output: string;
  /** Of the output. */
  readonly bytes: number;
  /** The parts it is made of. */
  readonly parts: readonly string[];
  readonly tensors: number;
  readonly written: boolean;
}

/**
 * Makes one GGUF of the parts of a split one, of which `path` names any. The parts stay as they are. Metadata and tensors
 * keep their order: what was split by Nibble or llama.cpp's gguf-split becomes what it was.
 *
 * @throws NibbleError ERR_ARGUMENT where the model is not split or the output exists (without `overwrite`) or is a part;
 * ERR_IO where a part is missing; ERR_FORMAT, ERR_UNSUPPORTED; `signal.reason` on abort.
 */
export async function mergeModel(path: string, options: CopyOptions): Promise<MergeReport> {
  const { output, dryRun = false } = options;
  const model = await openSource(path, { signal: options.signal });
  if (!model.metadata.some(({ key }) => key === "split.count")) {
    throw argumentError("model", "a part of a split GGUF (it has no split.count)", path);
  }
  const metadata = model.metadata.filter(({ key }) => !splitKeys.has(key));
  const content = { path: output, metadata, tensors: model.tensors };
  const bytes = await copyModel(content, model, "merge", options);
  const parts = model.files.map((file) => file.path);
  return { output, bytes, parts, tensors: model.tensors.length, written: !dryRun };
}

/**
 * Writes all of a model's tensors to one file, with other metadata; gives the file's bytes.
 *
 * @throws NibbleError ERR_ARGUMENT where the output exists (without `overwrite`) or is one of the model's files;
 * ERR_FORMAT, ERR_IO; `signal.reason` on abort.
 */
export async function copyModel(
  content: GgufContent,
  model: ModelInfo,
  phase: string,
  options: CopyOptions,
): Promise<number> {
  const { signal, overwrite = false, dryRun = false } = options;
  if (content.path === "") throw argumentError("output", "the path of the GGUF to write", "");
  const { totalBytes } = layoutOf(content);
  if (dryRun) return totalBytes;
  await checkOutputs([content.path], model, totalBytes, overwrite);
  const total = content.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const onBytes = byteProgress(phase, total, options);
  await writeGgufs([content], model, { overwrite, signal, onBytes });
  return totalBytes;
}
