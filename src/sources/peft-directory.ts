import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { argumentError, NibbleError } from "../errors.js";
import { readHfConfig, type HfConfig } from "./hf-config.js";
import { generalMetadata } from "./hf-general.js";
import { plainWeight } from "./hf-weights.js";
import { JsonFile, readJson, readOptionalJson } from "./json-file.js";
import { parseModelCard } from "./model-card.js";
import type { MetadataEntry, ModelInfo } from "./model-info.js";
import { modelName } from "./model-name.js";
import { adapterAlpha, readPeftConfig, type PeftConfig } from "./peft-config.js";
import { adapterTensors } from "./peft-tensors.js";
import { readShards } from "./safetensors.js";

const configName = "adapter_config.json";
const weightsName = "adapter_model.safetensors";

export interface PeftOptions {
  /** The base model's directory; only its config.json is read. */
  readonly base?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Whether these are the files of a PEFT adapter, and not of a model that one lies beside. */
export function isPeftDirectory(fileNames: readonly string[]): boolean {
  return fileNames.includes(configName) && !fileNames.some((name) => /^model[.-].*safe/.test(name));
}

/**
 * Describes a PEFT directory (adapter_config.json, adapter_model.safetensors) as the GGUF adapter that llama.cpp loads with
 * `--lora`. Only the base model's config.json is needed besides.
 *
 * @throws NibbleError ERR_ARGUMENT where the base model is not there, ERR_UNSUPPORTED for what a GGUF adapter cannot hold,
 * ERR_FORMAT for damaged files, ERR_IO.
 */
export async function readPeftDirectory(
  path: string,
  fileNames: readonly string[],
  { base, signal }: PeftOptions = {},
): Promise<ModelInfo> {
  const file = await readJson(join(path, configName), signal);
  const peft = readPeftConfig(file);
  if (!fileNames.includes(weightsName)) throw noWeights(path, fileNames);
  const config = await baseConfig(base, peft, signal);
  const { files, tensors: stored } = await readShards(path, [weightsName], signal);
  const weights = stored.map((tensor) => plainWeight(tensor, join(path, weightsName)));
  const { tensors, ranks } = adapterTensors(path, weights, config);
  if (ranks.length === 0) {
    throw new NibbleError("ERR_UNSUPPORTED", `${path}: ${weightsName} has no LoRA in it`, {
      what: "weights",
      value: "none",
    });
  }
  const general = generalMetadata({
    architecture: config.architecture,
    directory: modelName(path),
    config: new JsonFile(file.path, {}),
    generation: await readOptionalJson(join(path, "generation_config.json"), signal),
    card: parseModelCard(fileNames.includes("README.md") ? await cardOf(path) : ""),
    tensors,
    adapter: "lora",
  });
  const alpha = adapterAlpha(file, peft, ranks);
  return {
    ...{ path, container: "hf", tensors, files },
    metadata: [
      ...general,
      { key: "adapter.lora.alpha", type: "f32", value: alpha },
      ...invocation(peft),
    ],
  };
}

function cardOf(path: string): Promise<string> {
  return readFile(join(path, "README.md"), "utf8");
}

function invocation({ invocationTokens: value }: PeftConfig): readonly MetadataEntry[] {
  if (value.length === 0) return [];
  return [{ key: "adapter.alora.invocation_tokens", type: "array", elementType: "u32", value }];
}

/** The base model's configuration: of the directory that is given, or of the one that the adapter names. */
async function baseConfig(
  given: string | undefined,
  { base: named }: PeftConfig,
  signal: AbortSignal | undefined,
): Promise<HfConfig> {
  const path = given ?? named;
  // Of what a stranger's file names this may be anything: existsSync never throws.
  const isThere = path !== undefined && existsSync(join(path, "config.json"));
  if (!isThere) throw noBase(given, named);
  return readHfConfig(await readJson(join(path, "config.json"), signal));
}

function noBase(given: string | undefined, named: string | undefined): NibbleError {
  const expected = "the directory of the model that the adapter is for (its config.json is enough)";
  if (given !== undefined) return argumentError("--base", expected, given);
  const origin = `${configName} names ${JSON.stringify(named ?? "none").slice(0, 200)}, which is no such directory`;
  const message = `--base: give nibble convert ${expected}; ${origin}`;
  return new NibbleError("ERR_ARGUMENT", message, { option: "--base", expected });
}

function noWeights(path: string, fileNames: readonly string[]): NibbleError {
  const pickle = fileNames.find((name) => /^adapter_model\.(bin|pt)$/.test(name));
  const remedy =
    pickle === undefined
      ? "download it too"
      : `it has ${pickle}, a PyTorch pickle, which can run code when it is read; save it as safetensors`;
  return new NibbleError("ERR_UNSUPPORTED", `${path}: has no ${weightsName}; ${remedy}`, {
    what: "weights",
    value: pickle ?? "none",
  });
}
