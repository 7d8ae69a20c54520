import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { argumentError, ioError, NibbleError } from "../errors.js";
import { readHfConfig } from "./hf-config.js";
import { generalMetadata } from "./hf-general.js";
import { embeddingRows, ggufTensors } from "./hf-tensors.js";
import { readTokenizer } from "./hf-tokenizer.js";
import { readWeights } from "./hf-weights.js";
import { readJson, readOptionalJson } from "./json-file.js";
import { parseModelCard } from "./model-card.js";
import { modelName } from "./model-name.js";
import type { ModelInfo } from "./model-info.js";
import { isPeftDirectory, readPeftDirectory } from "./peft-directory.js";

export interface HfOptions {
  /** llama.cpp's name of the pre-tokenizer, where it is not recognised. */
  readonly pre?: string | undefined;
  /** The base model's directory, of a LoRA adapter. */
  readonly base?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Describes a Hugging Face directory (config.json, tokenizer, safetensors) as the GGUF that it becomes: names, metadata,
 * and what happens to rows and values. A tied embedding is one tensor, `token_embd.weight`. A PEFT directory is a LoRA
 * adapter.
 *
 * @throws NibbleError ERR_UNSUPPORTED for what cannot be converted, ERR_FORMAT for damaged files, ERR_IO.
 */
export async function readHfDirectory(path: string, options: HfOptions = {}): Promise<ModelInfo> {
  const { signal, pre, base } = options;
  const fileNames = await list(path);
  if (isPeftDirectory(fileNames)) return readPeftDirectory(path, fileNames, options);
  if (base !== undefined) throw argumentError("--base", "a LoRA adapter as the model", path);
  if (!fileNames.includes("config.json")) throw noModel(path, fileNames);
  const configFile = await readJson(join(path, "config.json"), signal);
  const config = readHfConfig(configFile);
  const weights = await readWeights(path, fileNames, configFile, signal);
  const tensors = ggufTensors(path, weights.tensors, config);
  const tokenizer = await readTokenizer({
    ...{ path, fileNames, config: configFile, pre, signal },
    architecture: config.architecture,
    rows: embeddingRows(path, tensors),
  });
  const general = generalMetadata({
    architecture: config.architecture,
    directory: modelName(path),
    config: configFile,
    generation: await readOptionalJson(join(path, "generation_config.json"), signal),
    card: parseModelCard((await optionalText(join(path, "README.md"))) ?? ""),
    tensors,
  });
  return {
    path,
    container: "hf",
    metadata: [...general, ...config.metadata, ...tokenizer],
    tensors,
    files: weights.files,
  };
}

async function list(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    throw ioError(error, path, "list the directory");
  }
}

function noModel(path: string, fileNames: readonly string[]): NibbleError {
  const gguf = fileNames.find((name) => name.endsWith(".gguf"));
  const remedy =
    gguf === undefined
      ? "give a directory with config.json, tokenizer.json and safetensors, or a .gguf file"
      : `for a GGUF give the file itself: ${join(path, gguf)}`;
  const expected = "a Hugging Face directory or a GGUF file";
  return new NibbleError("ERR_ARGUMENT", `${path}: has no config.json; ${remedy}`, {
    option: "model",
    expected,
  });
}

async function optionalText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw ioError(error, path, "read");
  }
}
