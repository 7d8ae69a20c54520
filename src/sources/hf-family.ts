import { unsupportedField, type FieldOverrides, type Fields } from "./hf-fields.js";
import type { RopeRules, Rope } from "./hf-rope.js";
import type { TensorRule } from "./hf-rules.js";
import type { JsonFile } from "./json-file.js";
import type { MetadataKey } from "./hf-metadata.js";

/** A family of models: everything that its conversion needs to know. */
export interface Family {
  /** GGUF's name of the architecture. */
  readonly architecture: string;
  /** What stands before the rules' names, by how usual it is. */
  readonly prefixes: readonly string[];
  readonly tensors: readonly TensorRule[];
  /** Keys `<architecture>.*` in upstream's order; those whose field is absent are left out. */
  readonly metadata: readonly MetadataKey[];
  /** Where fields have other names or defaults than most models'. */
  readonly fields?: FieldOverrides;
  readonly rope: RopeRules;
  readonly activation: Activation;
  /** What fields of config.json may be, where they are there at all. */
  readonly only?: Readonly<Record<string, readonly unknown[]>>;
  readonly checks?: readonly Check[];
  /** Tensors that GGUF does without: heads that are tied in any case, parts that see or hear. */
  readonly skip?: RegExp;
  /** The text's configuration lies under this key. */
  readonly nested?: string;
  /** Which of the rows of one Hugging Face architecture this is: the first whose fields are these. */
  readonly where?: Readonly<Record<string, boolean>>;
}

export interface CheckedConfig {
  readonly config: JsonFile;
  readonly fields: Fields;
  readonly rope: Rope;
  readonly architecture: string;
}

/** Throws where the configuration asks for what the architecture's graph does not have. */
export type Check = (checked: CheckedConfig) => void;

export type Activation = "silu" | "gelu";

/** GGUF's gelu is the one by tanh; the exact one differs by less than half-precision weights do. */
export const activations: Readonly<Record<Activation, readonly string[]>> = {
  silu: ["silu", "swish"],
  gelu: ["gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"],
};

/** The fields that name an activation; the first that is set counts. */
export const activationFields = [
  "hidden_activation",
  "hidden_act",
  "activation_function",
  "activation",
] as const;

/** Gemma's heads are scaled by their length; its 27B models (by their layers) by the width that a head stands for. */
export function checkQueryScale(layersOf27B: number): Check {
  return ({ config, fields, architecture }) => {
    const scalar = config.optional("query_pre_attn_scalar");
    const graph =
      fields.get("layers") === layersOf27B
        ? fields.need("width") / fields.need("heads")
        : fields.need("headDim");
    if (scalar === undefined || scalar === graph) return;
    throw unsupportedField(config, "query_pre_attn_scalar", scalar, architecture);
  };
}

/** Every `period`-th layer sees everything, the others a window. */
export function checkLayerTypes(period: number): Check {
  return ({ config, architecture }) => {
    const wrong = config.list("layer_types").findIndex((type, i) => type !== layerType(i, period));
    if (wrong < 0) return;
    const value = config.list("layer_types")[wrong];
    throw unsupportedField(config, `layer_types[${wrong}]`, value, architecture);
  };
}

function layerType(layer: number, period: number): string {
  return (layer + 1) % period === 0 ? "full_attention" : "sliding_attention";
}

/** Every fourth layer has no rotary embedding. */
export const checkNoRope: Check = ({ config, architecture }) => {
  const wrong = config
    .list("no_rope_layers")
    .findIndex((rotary, i) => Boolean(rotary) !== ((i + 1) % 4 !== 0));
  if (wrong < 0) return;
  const value = config.list("no_rope_layers")[wrong];
  throw unsupportedField(config, `no_rope_layers[${wrong}]`, value, architecture);
};

/** Heads of a length of their own are not in the graph: it takes the width's share. */
export const checkHeadDim: Check = ({ config, fields, architecture }) => {
  const headDim = fields.need("headDim");
  if (headDim === fields.need("width") / fields.need("heads")) return;
  throw unsupportedField(config, "head_dim", headDim, architecture);
};
