import { argumentError, NibbleError } from "../errors.js";
import type { MetadataEntry, ModelInfo, Scalar, TensorInfo } from "../sources/model-info.js";

/** A model without some of its layers. */
export interface Pruned {
  /** The tensors that are left, under their new names. */
  readonly tensors: readonly TensorInfo[];
  /** The source's entries, of which those with a value per layer have one for every layer that is left. */
  readonly metadata: readonly MetadataEntry[];
  /** `<architecture>.block_count` of what is left. */
  readonly blockCount: MetadataEntry;
  /** The new name of a tensor of the source, or undefined where its layer is gone. */
  readonly rename: (name: string) => string | undefined;
  readonly warnings: readonly string[];
}

/** A layer number stands in four digits: llama.cpp knows models of at most 512 layers. */
const layerRange = /^(\d{1,4})(?:-(\d{1,4}))?$/;

/**
 * Layers as the command line names them, `3,5-7`: sorted, each once.
 *
 * @throws NibbleError ERR_ARGUMENT for anything else.
 */
export function parseLayers(option: string, text: string): readonly number[] {
  const layers = new Set<number>();
  for (const part of text.split(",")) {
    const [, first, last = first] = layerRange.exec(part.trim()) ?? [];
    if (first === undefined || Number(first) > Number(last)) {
      throw argumentError(option, "numbers of layers, counted from 0, as 3,5-7", text);
    }
    for (let layer = Number(first); layer <= Number(last); layer += 1) layers.add(layer);
  }
  return [...layers].sort((a, b) => a - b);
}

/**
 * Takes layers out of a model and numbers the others anew. Names, order and `block_count` are those of llama-quantize;
 * metadata with a value per layer and counts of the first or last layers, which it leaves as they are, are made to fit,
 * since the file would not load otherwise.
 *
 * @param layers Numbers of layers, counted from 0, in any order.
 * @throws NibbleError ERR_ARGUMENT for what is no number of a layer; ERR_PLAN for a layer that the model does not have, and
 * where none would be left.
 */
export function pruneLayers(
  source: ModelInfo,
  architecture: string,
  layers: readonly number[],
): Pruned {
  const gone = new Set(layers);
  for (const layer of gone) {
    if (!Number.isSafeInteger(layer) || layer < 0) {
      throw argumentError("pruneLayers", "numbers of layers, counted from 0", layer);
    }
  }
  checkLayers(source.tensors, gone);
  const isBlockCount = ({ key }: MetadataEntry) => key === `${architecture}.block_count`;
  const counted = source.metadata.find(isBlockCount)?.value;
  const count = typeof counted === "number" ? counted : layersOf(source.tensors).size;
  const rename = (name: string): string | undefined => renamed(name, gone);
  return {
    tensors: source.tensors.flatMap((tensor) => {
      const name = rename(tensor.name);
      return name === undefined ? [] : [{ ...tensor, name }];
    }),
    metadata: source.metadata.map((entry) => prunedEntry(entry, architecture, gone, count)),
    blockCount: { key: `${architecture}.block_count`, type: "u32", value: count - gone.size },
    rename,
    warnings: patternWarnings(source.metadata, architecture),
  };
}

const blockName = /^blk\.(\d+)(\..*)$/;

function layersOf(tensors: readonly TensorInfo[]): ReadonlySet<number> {
  return new Set(tensors.flatMap(({ name }) => blockName.exec(name)?.[1] ?? []).map(Number));
}

function checkLayers(tensors: readonly TensorInfo[], gone: ReadonlySet<number>): void {
  const known = layersOf(tensors);
  const refuse = (what: string, reason: string): NibbleError =>
    new NibbleError("ERR_PLAN", `--prune-layers: ${what}; ${reason}`, { reason });
  const unknown = [...gone].find((layer) => !known.has(layer));
  if (unknown !== undefined) {
    const has = known.size === 0 ? "no layers (blk.0 ...)" : `layers 0 to ${Math.max(...known)}`;
    throw refuse(`there is no layer ${unknown}`, `the model has ${has}`);
  }
  if (gone.size === known.size) throw refuse("no layer would be left", "name fewer layers");
}

function renamed(name: string, gone: ReadonlySet<number>): string | undefined {
  const [, digits, rest] = blockName.exec(name) ?? [];
  if (digits === undefined || rest === undefined) return name;
  const layer = Number(digits);
  return gone.has(layer) ? undefined : `blk.${layer - goneBelow(layer, gone)}${rest}`;
}

function goneBelow(layer: number, gone: ReadonlySet<number>): number {
  return [...gone].filter((other) => other < layer).length;
}

/** Arrays that can be as long as a model has layers without having a value for each. */
const otherArrays: ReadonlySet<string> = new Set([
  "rope.dimension_sections",
  "classifier.output_labels",
  "target_layers",
]);

/** Counts of layers at one end of the model, that are of another kind than the others. */
const endCounts: Readonly<Record<string, "first" | "last">> = {
  leading_dense_block_count: "first",
  hash_layer_count: "first",
  nextn_predict_layers: "last",
  "attention.shared_kv_layers": "last",
};

/** Numbers that say which layers are of which kind in a way that no longer holds when some are gone. */
const patterns: readonly string[] = [
  "interleave_moe_layer_step",
  "moe_every_n_layers",
  "full_attention_interval",
  "attention.sliding_window_pattern",
  "target_layers",
];

function suffixOf(key: string, architecture: string): string | undefined {
  const prefix = `${architecture}.`;
  return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
}

function prunedEntry(
  entry: MetadataEntry,
  architecture: string,
  gone: ReadonlySet<number>,
  layers: number,
): MetadataEntry {
  const { key, type, elementType, value } = entry;
  const suffix = suffixOf(key, architecture);
  if (suffix === undefined) return entry;
  const end = endCounts[suffix];
  if (end !== undefined && typeof value === "number") {
    const isCounted = (layer: number) =>
      end === "first" ? layer < value : layer >= layers - value;
    return { key, type, value: value - [...gone].filter(isCounted).length };
  }
  if (!isList(value) || elementType === undefined) return entry;
  if (value.length !== layers || otherArrays.has(suffix)) return entry;
  return { key, type, elementType, value: value.filter((_, layer) => !gone.has(layer)) };
}

function isList(value: MetadataEntry["value"]): value is readonly Scalar[] {
  return Array.isArray(value);
}

function patternWarnings(
  metadata: readonly MetadataEntry[],
  architecture: string,
): readonly string[] {
  return metadata
    .filter(({ key, value }) => {
      const suffix = suffixOf(key, architecture);
      if (suffix === undefined || !patterns.includes(suffix)) return false;
      return suffix === "target_layers" || (typeof value === "number" && value > 1);
    })
    .map(
      ({ key }) =>
        `${key} tells the kinds of layers by their number, which --prune-layers changes: the file may not load`,
    );
}
