import type { JsonFile } from "./json-file.js";
import type { ModelCard } from "./model-card.js";
import { parseModelId, titleOf, type ModelId } from "./model-id.js";
import type { MetadataEntry, ScalarType, TensorInfo } from "./model-info.js";
import { adapterSizeOf, sizeOf } from "./size-label.js";

/** What the general metadata are made of. */
export interface GeneralSource {
  readonly architecture: string;
  /** The directory's name. */
  readonly directory: string;
  readonly config: JsonFile;
  readonly generation: JsonFile | undefined;
  readonly card: ModelCard;
  readonly tensors: readonly TensorInfo[];
  /** What kind of adapter it is, where it is no model. */
  readonly adapter?: string;
}

/** Advice for sampling: GGUF's key, its type, the key in generation_config.json. */
const samplingKeys: readonly (readonly [string, ScalarType, string])[] = [
  ["sequence", "string", "sequence"],
  ["top_k", "i32", "top_k"],
  ["top_p", "f32", "top_p"],
  ["min_p", "f32", "min_p"],
  ["xtc_probability", "f32", "xtc_probability"],
  ["xtc_threshold", "f32", "xtc_threshold"],
  ["temp", "f32", "temperature"],
  ["penalty_last_n", "i32", "penalty_last_n"],
  ["penalty_repeat", "f32", "penalty_repeat"],
  ["mirostat", "i32", "mirostat"],
  ["mirostat_tau", "f32", "mirostat_tau"],
  ["mirostat_eta", "f32", "mirostat_eta"],
];

/** A model's own names: GGUF's key, the card's keys, and what its name may say of it. */
const nameKeys: readonly (readonly [
  string,
  readonly string[],
  ((id: ModelId) => string | undefined)?,
])[] = [
  ["name", ["name", "model_name"], ({ name }) => titleOf(name)],
  ["author", ["author", "model_author", "model_creator"]],
  ["version", ["version", "model_version"], ({ version }) => version],
  ["organization", ["organization", "model_organization"], ({ owner }) => owner && titleOf(owner)],
  ["finetune", ["finetune", "model_finetune"], ({ finetune }) => finetune],
  ["basename", ["basename", "model_basename", "model_type"], ({ basename }) => basename],
  ["description", ["description", "model_description"]],
  ["size_label", ["size_label", "model_size_label"], ({ sizeLabel }) => sizeLabel],
];

/** What follows the names. */
const cardKeys: readonly (readonly [string, readonly string[]])[] = [
  ["license", ["license"]],
  ["license.name", ["license_name"]],
  ["license.link", ["license_link"]],
  ["source.url", ["url", "model_url"]],
  ["source.doi", ["doi", "model_doi"]],
  ["source.uuid", ["uuid", "model_uuid"]],
  ["source.repo_url", ["repo_url", "model_repo_url"]],
];

/**
 * The metadata `general.*` in upstream's order, from the model card, generation_config.json, config.json's
 * `_name_or_path` and the directory's name; where none of them says a size, the tensors do.
 */
export function generalMetadata(source: GeneralSource): readonly MetadataEntry[] {
  const { architecture, card, generation, adapter } = source;
  const { parameters, label } =
    adapter === undefined ? sizeOf(source.tensors) : adapterSizeOf(source.tensors);
  const ids = namesOf(source).map((id) => parseModelId(id, parameters));
  const names = nameKeys.flatMap(([key, fields, ofId]) => {
    const value =
      textOf(card, fields) ??
      ids.map((id) => ofId?.(id)).find((one) => one !== undefined) ??
      (key === "size_label" ? label : undefined);
    return value === undefined ? [] : [text(key, value)];
  });
  return [
    text("architecture", architecture),
    text("type", adapter === undefined ? "model" : "adapter"),
    ...(adapter === undefined ? [] : [adapterType(adapter)]),
    ...sampling(generation),
    ...names,
    ...cardKeys.flatMap(([key, fields]) => {
      const value = textOf(card, fields);
      return value === undefined ? [] : [text(key, value)];
    }),
    ...linked("base_model", listOf(card, ["base_model", "base_models", "base_model_sources"])),
    ...linked("dataset", listOf(card, ["datasets", "dataset", "dataset_sources"])),
    ...list("tags", [...every(card, "tags"), ...every(card, "pipeline_tag")]),
    ...list("languages", [...every(card, "languages"), ...every(card, "language")]),
  ];
}

function adapterType(value: string): MetadataEntry {
  return { key: "adapter.type", type: "string", value };
}

function text(key: string, value: string): MetadataEntry {
  return { key: `general.${key}`, type: "string", value };
}

function list(key: string, value: readonly string[]): readonly MetadataEntry[] {
  if (value.length === 0) return [];
  return [{ key: `general.${key}`, type: "array", elementType: "string", value }];
}

/** The model's names, the surest first; a path with several parts in `_name_or_path` is somebody's disk. */
function namesOf({ config, directory }: GeneralSource): readonly string[] {
  const given = config.object["_name_or_path"];
  const isName = typeof given === "string" && /^[^/]+(\/[^/]+)?$/.test(given);
  return isName ? [given, directory] : [directory];
}

function sampling(generation: JsonFile | undefined): readonly MetadataEntry[] {
  return samplingKeys.flatMap(([key, type, field]) => {
    const value = generation?.object[field];
    const fits = type === "string" ? typeof value === "string" : typeof value === "number";
    if (!fits || (type === "i32" && !Number.isInteger(value))) return [];
    const scalar = type === "f32" ? Math.fround(Number(value)) : (value as string | number);
    return [{ key: `general.sampling.${key}`, type, value: scalar }];
  });
}

function textOf(card: ModelCard, keys: readonly string[]): string | undefined {
  const value = keys.map((key) => card.get(key)).find((one) => one !== undefined);
  return value === undefined || typeof value === "string" ? value : value.join(",");
}

function every(card: ModelCard, key: string): readonly string[] {
  const value = card.get(key) ?? [];
  return typeof value === "string" ? [value] : value;
}

function listOf(card: ModelCard, keys: readonly string[]): readonly string[] | undefined {
  const key = keys.find((one) => card.has(one));
  return key === undefined ? undefined : every(card, key);
}

/** Models or data sets that this one is made of: `general.<kind>.count`, and of each what its name says. */
function linked(kind: string, ids: readonly string[] | undefined): readonly MetadataEntry[] {
  if (ids === undefined) return [];
  return [
    { key: `general.${kind}.count`, type: "u32", value: ids.length },
    ...ids.flatMap((id, i) =>
      Object.entries(linkOf(id)).flatMap(([key, value]) =>
        value === undefined ? [] : [text(`${kind}.${i}.${key}`, value)],
      ),
    ),
  ];
}

function linkOf(id: string): Record<string, string | undefined> {
  const isAddress = /^(https?|ssh):\/\//.test(id);
  const named = isAddress ? /^https?:\/\/huggingface\.co\/([^/]+\/[^/]+)$/.exec(id)?.[1] : id;
  if (named === undefined) return { repo_url: id };
  const { name, owner, version } = parseModelId(named);
  const page = owner === undefined ? undefined : `https://huggingface.co/${owner}/${name}`;
  return {
    name: titleOf(name),
    version,
    organization: owner && titleOf(owner),
    repo_url: isAddress ? id : page,
  };
}
