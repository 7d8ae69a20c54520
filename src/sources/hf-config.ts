import { activationFields, activations, type Family } from "./hf-family.js";
import { familyOf } from "./hf-families.js";
import { Fields, maxHeadDim, unsupportedField } from "./hf-fields.js";
import { lengthsOf, type LengthOf } from "./hf-lengths.js";
import { architectureMetadata } from "./hf-metadata.js";
import { readRope, type RopeTensor } from "./hf-rope.js";
import type { JsonFile } from "./json-file.js";
import type { MetadataEntry } from "./model-info.js";

/** What the rest of the conversion needs of a config.json. */
export interface HfConfig {
  readonly family: Family;
  /** GGUF's name of the architecture. */
  readonly architecture: string;
  readonly layers: number;
  readonly fields: Fields;
  readonly lengthOf: LengthOf;
  /** The metadata `<architecture>.*`. */
  readonly metadata: readonly MetadataEntry[];
  /** Whether the embedding is the head too; undefined where config.json does not say. */
  readonly tied: boolean | undefined;
  /** Tensors that the configuration makes: frequencies of the rotary embedding. */
  readonly ropeTensors: readonly RopeTensor[];
}

/**
 * Reads a model's config.json: its family, the lengths that name its tensors' shapes, and the metadata in upstream's
 * order.
 *
 * @throws NibbleError ERR_UNSUPPORTED for another architecture, or for a field whose value the architecture's graph does
 * not have; ERR_FORMAT for a field that is missing or out of range.
 */
export function readHfConfig(file: JsonFile): HfConfig {
  const family = familyOf(file);
  const config = (family.nested === undefined ? undefined : file.child(family.nested)) ?? file;
  const { architecture } = family;
  refuseOdd(config, family);
  const fields = new Fields(config, family.fields);
  const headDim = fields.need("headDim");
  if (headDim % 2 !== 0) throw config.damaged("head_dim", `is ${headDim}, which is not even`);
  if (headDim > maxHeadDim) throw config.damaged("head_dim", `is ${headDim}, more than any`);
  const [heads, keyValueHeads] = [fields.need("heads"), fields.need("keyValueHeads")];
  if (heads % keyValueHeads !== 0) {
    const problem = `is ${keyValueHeads}, which does not divide the ${heads} heads`;
    throw config.damaged("num_key_value_heads", problem);
  }
  const rope = readRope({ config, fields, rules: family.rope, architecture });
  for (const check of family.checks ?? []) check({ config, fields, rope, architecture });
  return {
    family,
    architecture,
    layers: fields.need("layers"),
    fields,
    lengthOf: lengthsOf(fields),
    metadata: architectureMetadata(architecture, family.metadata, fields, rope),
    tied: config.flag("tie_word_embeddings") ?? file.flag("tie_word_embeddings"),
    ropeTensors: rope.tensors,
  };
}

/** What would change the result and has no place in the graph that the metadata describes. */
function refuseOdd(config: JsonFile, { architecture, activation, only = {} }: Family): void {
  const named = activationFields.find((field) => config.has(field));
  const known = activations[activation];
  if (named !== undefined && !known.includes(config.text(named) ?? "")) {
    const remedy = `it has ${activation}`;
    throw unsupportedField(config, named, config.text(named), architecture, remedy);
  }
  for (const [field, values] of Object.entries(only)) {
    const shown = JSON.stringify(config.object[field]);
    if (!config.has(field) || values.some((value) => JSON.stringify(value) === shown)) continue;
    throw unsupportedField(config, field, config.object[field], architecture);
  }
}
