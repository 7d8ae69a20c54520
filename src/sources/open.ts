import { stat } from "node:fs/promises";
import { argumentError, ioError } from "../errors.js";
import { readHfDirectory } from "./hf-directory.js";
import type { ModelInfo } from "./model-info.js";
import { readSplitGguf } from "./split-gguf.js";

export interface OpenOptions {
  /** llama.cpp's name of the pre-tokenizer, for a Hugging Face directory where it is not recognised. */
  readonly pre?: string | undefined;
  /** Directory of the base model, for a PEFT directory (a LoRA adapter) that names none on this machine. */
  readonly base?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the headers of a model: a Hugging Face directory (also of a LoRA adapter), a GGUF file, or any part of a split
 * GGUF. No weights are read, and memory is bounded by the headers.
 *
 * @throws NibbleError ERR_ARGUMENT, ERR_FORMAT, ERR_UNSUPPORTED, ERR_IO; `signal.reason` on abort.
 */
export async function openSource(path: string, options: OpenOptions = {}): Promise<ModelInfo> {
  options.signal?.throwIfAborted();
  const isDirectory = await stat(path).then(
    (status) => status.isDirectory(),
    (error: unknown) => {
      throw ioError(error, path, "open");
    },
  );
  if (isDirectory) return readHfDirectory(path, options);
  const { base } = options;
  if (base !== undefined) throw argumentError("--base", "a LoRA adapter as the model", path);
  return readSplitGguf(path, options);
}
