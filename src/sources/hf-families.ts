import { NibbleError } from "../errors.js";
import {
  granite,
  llama,
  mistral,
  mixtral,
  olmo2,
  qwen2,
  qwen2Moe,
  qwen3,
  qwen3Moe,
  smollm3,
} from "./hf-families-llama.js";
import {
  falcon,
  falconNew,
  gemma,
  gemma2,
  gemma3,
  gemma3Vision,
  gpt2,
  gptNeox,
  phi3,
  stablelm,
  starcoder2,
} from "./hf-families-others.js";
import type { Family } from "./hf-family.js";
import type { JsonFile } from "./json-file.js";

/** By the name in config.json's `architectures`; of several rows the first that fits counts. */
const families: Readonly<Record<string, readonly Family[]>> = {
  LlamaForCausalLM: [llama],
  LLaMAForCausalLM: [llama],
  MistralForCausalLM: [mistral],
  MixtralForCausalLM: [mixtral],
  SmolLM3ForCausalLM: [smollm3],
  GraniteForCausalLM: [granite],
  Qwen2ForCausalLM: [qwen2],
  Qwen3ForCausalLM: [qwen3],
  Qwen2MoeForCausalLM: [qwen2Moe],
  Qwen3MoeForCausalLM: [qwen3Moe],
  Olmo2ForCausalLM: [olmo2],
  GemmaForCausalLM: [gemma],
  Gemma2ForCausalLM: [gemma2],
  Gemma3ForCausalLM: [gemma3],
  Gemma3ForConditionalGeneration: [gemma3Vision],
  Phi3ForCausalLM: [phi3],
  GPT2LMHeadModel: [gpt2],
  GPTNeoXForCausalLM: [gptNeox],
  Starcoder2ForCausalLM: [starcoder2],
  StableLmForCausalLM: [stablelm],
  StableLMEpochForCausalLM: [stablelm],
  FalconForCausalLM: [falconNew, falcon],
  RWForCausalLM: [falconNew, falcon],
};

/**
 * The family of a model, by the first of config.json's `architectures`.
 *
 * @throws NibbleError ERR_UNSUPPORTED for another one, with those that work.
 */
export function familyOf(config: JsonFile): Family {
  const [name] = config.list("architectures");
  const rows =
    typeof name === "string" && Object.hasOwn(families, name) ? families[name] : undefined;
  const family = rows?.find(({ where = {} }) =>
    Object.entries(where).every(([field, value]) => config.object[field] === value),
  );
  if (family !== undefined) return family;
  const shown = typeof name === "string" ? name : "an unnamed architecture";
  const known = Object.keys(families).join(", ");
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${config.path}: the model is ${shown} (by its field architectures), and Nibble converts ${known}; ` +
      "quantize a GGUF of the model instead (any architecture will do)",
    { what: "architecture", value: shown },
  );
}
