import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ioError, NibbleError } from "../errors.js";
import { formatError } from "./byte-source.js";
import { readHfConfig, type HfConfig } from "./hf-config.js";
import { ggufName, isIgnored } from "./hf-names.js";
import { tokenizerMetadata } from "./hf-tokenizer.js";
import { readJson, readOptionalJson } from "./json-file.js";
import { modelName } from "./model-name.js";
import type { MetadataEntry, ModelInfo, RowTransform, TensorInfo } from "./model-info.js";
import { readSafetensorsDirectory, weightType, type SafeTensor } from "./safetensors.js";

export interface HfOptions {
  /** llama.cpp's name of the pre-tokenizer, where it is not recognised. */
  readonly pre?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Describes a Hugging Face directory (config.json, tokenizer.json, safetensors) as the GGUF that it becomes: names,
 * metadata, and for q and k the order of rows. A tied embedding is one tensor, `token_embd.weight`.
 *
 * @throws NibbleError ERR_UNSUPPORTED for what cannot be converted, ERR_FORMAT for damaged files, ERR_IO.
 */
export async function readHfDirectory(path: string, options: HfOptions = {}): Promise<ModelInfo> {
  const { signal, pre } = options;
  const fileNames = await list(path);
  if (!fileNames.includes("config.json")) throw noModel(path, fileNames);
  const configFile = await readJson(join(path, "config.json"), signal);
  const config = readHfConfig(configFile);
  const weights = await readSafetensorsDirectory(path, fileNames, signal);
  const tensors = renamed(path, weights.tensors, config, weights.files);
  checkLayers(path, tensors, config);
  if (!fileNames.includes("tokenizer.json")) throw noTokenizer(path, fileNames);
  const tokenizer = tokenizerMetadata(
    {
      config: configFile,
      tokenizer: await readJson(join(path, "tokenizer.json"), signal),
      tokenizerConfig: await readOptionalJson(join(path, "tokenizer_config.json"), signal),
      generationConfig: await readOptionalJson(join(path, "generation_config.json"), signal),
      chatTemplate: await optionalText(join(path, "chat_template.jinja")),
    },
    embeddingRows(path, tensors),
    pre,
  );
  const general = await generalMetadata(path, config, tensors);
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

function noTokenizer(path: string, fileNames: readonly string[]): NibbleError {
  const remedy = fileNames.includes("tokenizer.model")
    ? "it has tokenizer.model, the older form: save it again with transformers' AutoTokenizer, which adds tokenizer.json"
    : "download it from the model's page";
  return new NibbleError("ERR_UNSUPPORTED", `${path}: has no tokenizer.json; ${remedy}`, {
    what: "tokenizer",
    value: "missing",
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

function renamed(
  path: string,
  weights: readonly SafeTensor[],
  config: HfConfig,
  files: ModelInfo["files"],
): readonly TensorInfo[] {
  const used = weights.filter(({ name }) => !isIgnored(name));
  const tied = !used.some(({ name }) => name === "model.embed_tokens.weight");
  const tensors = used.map((weight) => {
    // A tied embedding may be stored under the output's name alone.
    const source =
      tied && weight.name === "lm_head.weight" ? "model.embed_tokens.weight" : weight.name;
    const rule = ggufName(config.names, source);
    if (rule === undefined) throw unknownTensor(path, weight.name, config);
    const heads = rule.rotated === "query" ? config.heads : config.keyValueHeads;
    return described(weight, files[weight.file]?.path ?? path, rule.name, {
      ...(rule.rotated !== undefined && { rotatedRows: heads * config.headDim }),
      headDim: config.headDim,
    });
  });
  return tensors;
}

function unknownTensor(path: string, name: string, config: HfConfig): NibbleError {
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: tensor ${name} has no place in GGUF's ${config.architecture} architecture`,
    { what: "tensor", value: name },
  );
}

function described(
  weight: SafeTensor,
  path: string,
  name: string,
  { rotatedRows, headDim }: { rotatedRows?: number; headDim: number },
): TensorInfo {
  const { offset, bytes, file } = weight;
  const shape = [...weight.shape].reverse();
  if (shape.length < 1 || shape.length > 4 || bytes === 0) {
    throw formatError(path, `tensor ${weight.name}`, `has the shape [${weight.shape.join(", ")}]`);
  }
  if (rotatedRows !== undefined && (shape.length !== 2 || shape[1] !== rotatedRows)) {
    const problem = `has ${shape[1] ?? 1} rows, and the heads of config.json make ${rotatedRows}`;
    throw formatError(path, `tensor ${weight.name}`, problem);
  }
  const transform: RowTransform = { kind: "interleave-halves", headDim };
  return {
    name,
    type: weightType(weight, path),
    shape,
    bytes,
    pieces: [{ file, offset, bytes }],
    ...(rotatedRows !== undefined && { transform }),
  };
}

/** A shard that is left out of the index, or a config.json of another model, shows here. */
function checkLayers(path: string, tensors: readonly TensorInfo[], config: HfConfig): void {
  const names = new Set(tensors.map(({ name }) => name));
  const optional = new Set(["output.weight"]);
  for (const { name } of Object.values(config.names)) {
    const layers = name.includes("{n}") ? config.layers : 1;
    for (let layer = 0; layer < layers; layer += 1) {
      const wanted = name.replace("{n}", String(layer));
      if (!names.has(wanted) && !optional.has(wanted)) {
        throw formatError(path, `tensor ${wanted}`, "is missing: the download is not complete");
      }
    }
  }
  const beyond = tensors.find(
    ({ name }) => Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? 0) >= config.layers,
  );
  if (beyond !== undefined) {
    throw formatError(
      path,
      `tensor ${beyond.name}`,
      `is beyond the ${config.layers} layers of config.json`,
    );
  }
}

function embeddingRows(path: string, tensors: readonly TensorInfo[]): number {
  const rows = tensors.find(({ name }) => name === "token_embd.weight")?.shape[1];
  if (rows === undefined) throw formatError(path, "tensor token_embd.weight", "is no matrix");
  return rows;
}

async function generalMetadata(
  path: string,
  config: HfConfig,
  tensors: readonly TensorInfo[],
): Promise<readonly MetadataEntry[]> {
  const text = (key: string, value: string): MetadataEntry => ({
    key: `general.${key}`,
    type: "string",
    value,
  });
  const card = await optionalText(join(path, "README.md"));
  const license = /^---\n(?:.*\n)*?license:\s*([\w.-]+)\s*\n(?:.*\n)*?---/.exec(card ?? "")?.[1];
  return [
    text("architecture", config.architecture),
    text("type", "model"),
    text("name", modelName(path)),
    text("size_label", sizeLabel(tensors)),
    ...(license === undefined ? [] : [text("license", license)]),
  ];
}

const sizeSteps = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "K"],
] as const;

/** The number of parameters as upstream writes it: 656K, 8.4M, 1.2B, 70B. */
function sizeLabel(tensors: readonly TensorInfo[]): string {
  const values = tensors.reduce((sum, { shape }) => sum + shape.reduce((all, n) => all * n, 1), 0);
  const [unit, letter] = sizeSteps.find(([least]) => values >= least) ?? [1, ""];
  const scaled = values / unit;
  return `${scaled >= 10 ? Math.round(scaled) : Math.round(scaled * 10) / 10}${letter}`;
}
