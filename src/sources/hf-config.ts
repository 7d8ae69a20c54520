import { NibbleError } from "../errors.js";
import { llamaNames, type NameTable } from "./hf-names.js";
import type { JsonFile } from "./json-file.js";
import type { MetadataEntry } from "./model-info.js";

/** What the rest of the conversion needs of a config.json. */
export interface HfConfig {
  /** GGUF's name of the architecture. */
  readonly architecture: string;
  readonly names: NameTable;
  readonly layers: number;
  readonly vocabulary: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  /** Values of a head: rows of a q or k tensor per head. */
  readonly headDim: number;
  /** The metadata `<architecture>.*`. */
  readonly metadata: readonly MetadataEntry[];
}

/** A family of models: one row of this table and one of names. */
interface Family {
  readonly architecture: string;
  readonly names: NameTable;
}

const families: Readonly<Record<string, Family>> = {
  LlamaForCausalLM: { architecture: "llama", names: llamaNames },
};

/** llama.cpp's own limit for layers. */
const maxLayers = 512;
const maxLength = 2 ** 31 - 1;

/**
 * Reads a model's config.json: the lengths that name its tensors' shapes, and the metadata in upstream's order.
 *
 * @throws NibbleError ERR_UNSUPPORTED for another architecture or a rotary embedding that is not carried over;
 * ERR_FORMAT for a field that is missing or out of range.
 */
export function readHfConfig(config: JsonFile): HfConfig {
  const { architecture, names } = familyOf(config);
  refuseOdd(config);
  const embedding = config.count("hidden_size", maxLength);
  const heads = config.count("num_attention_heads", maxLength);
  const keyValueHeads = config.count("num_key_value_heads", heads, heads);
  const headDim = config.count("head_dim", maxLength, Math.floor(embedding / heads));
  if (headDim % 2 !== 0) throw config.damaged("head_dim", `is ${headDim}, which is not even`);
  const layers = config.count("num_hidden_layers", maxLayers);
  const vocabulary = config.count("vocab_size", maxLength);
  const u32 = (key: string, value: number): MetadataEntry => ({
    key: `${architecture}.${key}`,
    type: "u32",
    value,
  });
  const f32 = (key: string, value: number): MetadataEntry => ({
    key: `${architecture}.${key}`,
    type: "f32",
    value: Math.fround(value),
  });
  const ownHeadDim = config.has("head_dim")
    ? [u32("attention.key_length", headDim), u32("attention.value_length", headDim)]
    : [];
  return {
    architecture,
    names,
    layers,
    vocabulary,
    heads,
    keyValueHeads,
    headDim,
    metadata: [
      u32("block_count", layers),
      u32("context_length", config.count("max_position_embeddings", maxLength)),
      u32("embedding_length", embedding),
      u32("feed_forward_length", config.count("intermediate_size", maxLength)),
      u32("attention.head_count", heads),
      u32("attention.head_count_kv", keyValueHeads),
      f32("rope.freq_base", ropeTheta(config)),
      f32("attention.layer_norm_rms_epsilon", config.positive("rms_norm_eps")),
      ...ownHeadDim,
      u32("vocab_size", vocabulary),
      u32("rope.dimension_count", headDim),
      ...ropeScaling(config, architecture),
    ],
  };
}

function familyOf(config: JsonFile): Family {
  const [name] = config.list("architectures");
  const family = typeof name === "string" ? families[name] : undefined;
  if (family !== undefined) return family;
  const shown = typeof name === "string" ? name : "an unnamed architecture";
  const known = Object.keys(families).join(", ");
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${config.path}: the model is ${shown}, and Nibble converts ${known}; ` +
      "quantize a GGUF of the model instead (any architecture will do)",
    { what: "architecture", value: shown },
  );
}

/** What would change the result and has no place in the graph that the metadata describes. */
function refuseOdd(config: JsonFile): void {
  const unsupported = (field: string, value: string, remedy: string) =>
    new NibbleError("ERR_UNSUPPORTED", `${config.path}: ${field} is ${value}, which ${remedy}`, {
      what: field,
      value,
    });
  const activation = config.text("hidden_act") ?? "silu";
  if (activation !== "silu") {
    throw unsupported("hidden_act", activation, "GGUF's llama architecture does not have");
  }
  if (config.has("quantization_config")) {
    throw unsupported("quantization_config", "set", "means quantized weights; take the originals");
  }
}

/** Recent files keep theta and scaling in `rope_parameters`. */
function ropeTheta(config: JsonFile): number {
  const parameters = config.child("rope_parameters");
  return parameters?.has("rope_theta")
    ? parameters.positive("rope_theta")
    : config.positive("rope_theta", 10000);
}

function ropeScaling(config: JsonFile, architecture: string): readonly MetadataEntry[] {
  const scaling = config.child("rope_scaling") ?? config.child("rope_parameters");
  const kind = scaling?.text("rope_type") ?? scaling?.text("type") ?? "default";
  if (scaling === undefined || kind === "default") return [];
  if (kind === "linear") {
    const factor = Math.fround(scaling.positive("factor"));
    return [
      { key: `${architecture}.rope.scaling.type`, type: "string", value: "linear" },
      { key: `${architecture}.rope.scaling.factor`, type: "f32", value: factor },
    ];
  }
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${config.path}: rope_scaling is ${kind}, and Nibble converts models without scaling or with linear; ` +
      "quantize a GGUF of the model instead",
    { what: "rope_scaling", value: kind },
  );
}
