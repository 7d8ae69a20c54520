import { join } from "node:path";
import { NibbleError } from "../errors.js";
import { isObject, JsonFile, readOptionalJson } from "./json-file.js";

/** How the weights of a directory are quantized, by its configuration. */
export type Quantization =
  /** Bytes with scales: FP8, and INT8 of compressed-tensors. */
  | { readonly method: "bytes"; readonly blocks: readonly (readonly number[])[] }
  | {
      readonly method: "gptq";
      readonly bits: number;
      readonly groupSize: number | undefined;
      /** What is added to a stored zero point. */
      readonly zeroBias: number;
    }
  | { readonly method: "awq"; readonly bits: number; readonly groupSize: number | undefined }
  /** Besides bytes, packed codes with so many bits and columns per scale, by group of layers. */
  | {
      readonly method: "compressed";
      readonly blocks: readonly (readonly number[])[];
      readonly bits: readonly number[];
    }
  | { readonly method: "mxfp4" };

const maxSize = 2 ** 31;

/**
 * The quantization that config.json names under `quantization_config`, or one of the files that older checkpoints have
 * instead; undefined where there is none.
 *
 * @throws NibbleError ERR_UNSUPPORTED for a method that Nibble does not decode, ERR_FORMAT for a damaged one, ERR_IO.
 */
export async function readQuantization(
  directory: string,
  config: JsonFile,
  signal?: AbortSignal,
): Promise<Quantization | undefined> {
  const field = "quantization_config";
  const found = config.child(field);
  if (found !== undefined) return quantizationOf(found, found.text("quant_method"), `${field}.`);
  // What AutoGPTQ and AutoAWQ wrote before transformers had a field for it; they do not always name the method.
  for (const [name, method] of [
    ["quantize_config.json", "gptq"],
    ["quant_config.json", "awq"],
  ] as const) {
    const file = await readOptionalJson(join(directory, name), signal);
    if (file !== undefined) return quantizationOf(file, file.text("quant_method") ?? method, "");
  }
  return undefined;
}

type Reader = (config: JsonFile, field: string) => Quantization;

const methods: Readonly<Record<string, Reader>> = {
  fp8: bytes,
  fbgemm_fp8: bytes,
  modelopt: (config, field) => {
    refuseOther(config, field, "quant_algo", ["FP8"]);
    return bytes(config);
  },
  gptq: (config, field) => {
    refuseOther(config, field, "checkpoint_format", ["gptq", "gptq_v2"]);
    return {
      method: "gptq",
      bits: bitsOf(config, field, "bits", [2, 4, 8]),
      groupSize: groupSize(config, "group_size"),
      // The first version of the format stores zero points less 1.
      zeroBias: config.text("checkpoint_format") === "gptq_v2" ? 0 : 1,
    };
  },
  awq: (config, field) => {
    refuseOther(config, field, "version", ["gemm", "GEMM"]);
    const old = config.has("w_bit");
    return {
      method: "awq",
      bits: bitsOf(config, field, old ? "w_bit" : "bits", [4]),
      groupSize: groupSize(config, old ? "q_group_size" : "group_size"),
    };
  },
  "compressed-tensors": compressed,
  mxfp4: () => ({ method: "mxfp4" }),
};

function quantizationOf(config: JsonFile, method: string | undefined, field: string): Quantization {
  const read = Object.hasOwn(methods, method ?? "") ? methods[method ?? ""] : undefined;
  if (read !== undefined) return read(config, field);
  throw unsupported(config, `${field}quant_method`, method ?? "missing", Object.keys(methods));
}

function unsupported(
  config: JsonFile,
  field: string,
  value: string,
  readable: readonly (string | number)[],
): NibbleError {
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${config.path}: ${field} is ${value}; of quantized weights Nibble reads ${readable.join(", ")}: ` +
      "take the model's original weights, or quantize a GGUF of it",
    { what: field, value },
  );
}

/** Where a field is set, only these values of it are read. */
function refuseOther(
  config: JsonFile,
  field: string,
  key: string,
  readable: readonly string[],
): void {
  const value = config.text(key);
  if (value !== undefined && !readable.includes(value)) {
    throw unsupported(config, `${field}${key}`, value, readable);
  }
}

function bitsOf(config: JsonFile, field: string, key: string, readable: readonly number[]): number {
  const bits = config.count(key, 32);
  if (!readable.includes(bits)) throw unsupported(config, `${field}${key}`, String(bits), readable);
  return bits;
}

/** Undefined: all columns are one group. */
function groupSize(config: JsonFile, key: string): number | undefined {
  return !config.has(key) || config.object[key] === -1 ? undefined : config.count(key, maxSize);
}

function bytes(config: JsonFile): Quantization {
  const block = blockOf(config, "weight_block_size");
  return { method: "bytes", blocks: block === undefined ? [] : [block] };
}

/** Rows and columns that share a scale. */
function blockOf(config: JsonFile, key: string): readonly [number, number] | undefined {
  const list = config.list(key);
  if (list.length === 0) return undefined;
  const [rows, columns] = list;
  if (list.length !== 2 || !isSize(rows) || !isSize(columns)) {
    throw config.damaged(key, "is no pair of sizes");
  }
  return [rows, columns];
}

function isSize(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maxSize;
}

/** Every group of layers has its own scheme; which one a weight has shows in the shapes of its parts. */
function compressed(config: JsonFile, field: string): Quantization {
  const groups = Object.values(config.child("config_groups")?.object ?? {});
  const schemes = groups.map((group) => {
    const weights = isObject(group) ? group["weights"] : undefined;
    if (!isObject(weights)) throw config.damaged("config_groups", "has a group without weights");
    return new JsonFile(config.path, weights);
  });
  const blocks = schemes.flatMap((scheme) => {
    const size = groupSize(scheme, "group_size");
    const block = blockOf(scheme, "block_structure");
    return [...(size === undefined ? [] : [[1, size]]), ...(block === undefined ? [] : [block])];
  });
  const bits = schemes.map((scheme) => bitsOf(scheme, field, "num_bits", [2, 4, 8]));
  return { method: "compressed", blocks, bits };
}
