import { NibbleError } from "../errors.js";
import type { JsonFile } from "./json-file.js";

/** What an adapter_config.json says of the tensors beside it. */
export interface PeftConfig {
  /** Where the base model is: a directory, or a name on the hub. */
  readonly base: string | undefined;
  /** `lora_alpha`. */
  readonly alpha: number;
  /** The deltas are scaled by alpha / sqrt(rank), not by alpha / rank. */
  readonly rootOfRank: boolean;
  /** Tokens from which on the adapter works, where it does not from the start. */
  readonly invocationTokens: readonly number[];
}

interface Refusal {
  readonly field: string;
  readonly holds: (value: unknown, config: JsonFile) => boolean;
  readonly why: string;
}

const isTrue = (value: unknown): boolean => value === true;
const isSet = (value: unknown): boolean => value !== null && value !== undefined && value !== false;

/** What changes the base model in a way that a GGUF adapter cannot say. */
const refusals: readonly Refusal[] = [
  {
    field: "peft_type",
    holds: (value) => isSet(value) && value !== "LORA",
    why: "only LORA has a form in GGUF",
  },
  { field: "use_dora", holds: isTrue, why: "GGUF has no place for DoRA's magnitudes" },
  { field: "use_qalora", holds: isTrue, why: "GGUF has no pooled inputs" },
  { field: "lora_bias", holds: isTrue, why: "GGUF's adapters have no biases" },
  {
    field: "bias",
    holds: (value) => isSet(value) && value !== "none",
    why: "GGUF's adapters have no biases",
  },
  {
    field: "modules_to_save",
    holds: (value) => Array.isArray(value) && value.length > 0,
    why: "GGUF's adapters hold no whole tensors of the model",
  },
  { field: "layer_replication", holds: isSet, why: "the base model has no such layers" },
  {
    field: "alpha_pattern",
    holds: (value, config) =>
      typeof value === "object" &&
      Object.values(value ?? {}).some((alpha) => alpha !== config.object["lora_alpha"]),
    why: "GGUF's adapters have one alpha for all tensors",
  },
  {
    field: "init_lora_weights",
    holds: (value) => typeof value === "string" && /^(pissa|olora|corda)/i.test(value),
    why: "such an adapter changes the base model's weights when it begins; save it from PEFT with path_initial_model_for_weight_conversion",
  },
];

/**
 * Reads an adapter_config.json.
 *
 * @throws NibbleError ERR_UNSUPPORTED for what GGUF's adapters cannot say, with the field; ERR_FORMAT for a field that is
 * missing or damaged.
 */
export function readPeftConfig(config: JsonFile): PeftConfig {
  for (const { field, holds, why } of refusals) {
    const value = config.object[field];
    if (holds(value, config)) throw refused(config, field, value, why);
  }
  const invocationTokens = config.list("alora_invocation_tokens").map((token, i) => {
    if (Number.isInteger(token) && Number(token) >= 0) return Number(token);
    throw config.damaged(`alora_invocation_tokens[${i}]`, "is no token");
  });
  if (invocationTokens.length === 0 && (config.text("invocation_string") ?? "") !== "") {
    const why = "its tokens are not there; add them as alora_invocation_tokens";
    throw refused(config, "invocation_string", config.text("invocation_string"), why);
  }
  return {
    base: config.text("base_model_name_or_path"),
    // llama.cpp takes an alpha of 0 as "do not scale", PEFT as "do nothing".
    alpha: config.positive("lora_alpha"),
    rootOfRank: config.flag("use_rslora") === true,
    invocationTokens,
  };
}

function refused(config: JsonFile, field: string, value: unknown, why: string): NibbleError {
  const shown = typeof value === "string" ? value : JSON.stringify(value).slice(0, 80);
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${config.path}: ${field} is ${shown}: ${why}; merge the adapter into the base model with PEFT and convert that`,
    { what: field, value: shown },
  );
}

/**
 * `adapter.lora.alpha`: llama.cpp scales by alpha / rank of each pair of tensors.
 *
 * @param ranks Of the pairs.
 * @throws NibbleError ERR_UNSUPPORTED where no number does for all: alpha / sqrt(rank) with several ranks.
 */
export function adapterAlpha(
  file: JsonFile,
  { alpha, rootOfRank }: PeftConfig,
  ranks: readonly number[],
): number {
  if (!rootOfRank) return Math.fround(alpha);
  const [rank = 1, ...others] = [...new Set(ranks)];
  if (others.length === 0) return Math.fround(alpha * Math.sqrt(rank));
  const why = `GGUF's adapters have one alpha, and the ranks differ (${rank}, ${others.join(", ")})`;
  throw refused(file, "use_rslora", true, why);
}
