import { argumentError } from "../errors.js";
import { nearestName } from "../plan/nearest-name.js";
import { checkEntries } from "../sources/gguf-writer.js";
import type { MetadataEntry } from "../sources/model-info.js";
import { openSource } from "../sources/open.js";
import { splitKeys } from "../sources/split-gguf.js";
import { copyModel, type CopyOptions } from "./merge-model.js";

export interface EditMetadataOptions extends CopyOptions {
  /** Entries to set: where the key is there its place is kept, others come last, in this order. */
  readonly set?: readonly MetadataEntry[] | undefined;
  /** Keys to remove; each has to be there. */
  readonly remove?: readonly string[] | undefined;
}

export interface EditMetadataReport {
  readonly output: string;
  /** Of the output. */
  readonly bytes: number;
  readonly set: readonly MetadataEntry[];
  readonly removed: readonly string[];
  readonly written: boolean;
}

/**
 * Copies a GGUF with other metadata; the tensors stay byte for byte. Parts of a split model become one file. What a reader
 * of GGUF files would refuse is not written.
 *
 * @throws NibbleError ERR_ARGUMENT where a key is to be removed that is not there, a key is named twice or tells of the
 * split, or the output exists (without `overwrite`) or is an input; ERR_FORMAT where the result would be no valid GGUF;
 * ERR_UNSUPPORTED, ERR_IO; `signal.reason` on abort.
 */
export async function editMetadata(
  path: string,
  options: EditMetadataOptions,
): Promise<EditMetadataReport> {
  const { output, set = [], remove = [], dryRun = false } = options;
  checkEdits(set, remove);
  checkEntries("set", set);
  const model = await openSource(path, { signal: options.signal });
  if (model.container !== "gguf") throw argumentError("model", "a GGUF file", path);
  const own = model.metadata.filter(({ key }) => !splitKeys.has(key));
  const metadata = editedMetadata(own, set, remove);
  const content = { path: output, metadata, tensors: model.tensors };
  const bytes = await copyModel(content, model, "copy", options);
  return { output, bytes, set, removed: remove, written: !dryRun };
}

function checkEdits(set: readonly MetadataEntry[], remove: readonly string[]): void {
  const seen = new Set<string>();
  for (const key of [...set.map((entry) => entry.key), ...remove]) {
    if (splitKeys.has(key)) {
      throw argumentError("key", "one that 'nibble split' and 'nibble merge' do not set", key);
    }
    if (seen.has(key)) throw argumentError("key", "every key once", key);
    seen.add(key);
  }
}

function editedMetadata(
  entries: readonly MetadataEntry[],
  set: readonly MetadataEntry[],
  remove: readonly string[],
): readonly MetadataEntry[] {
  const keys = entries.map(({ key }) => key);
  for (const key of remove) {
    if (!keys.includes(key)) throw argumentError("remove", missingKey(key, keys), key);
  }
  const changed = new Map(set.map((entry) => [entry.key, entry]));
  const kept = entries
    .filter(({ key }) => !remove.includes(key))
    .map((entry) => changed.get(entry.key) ?? entry);
  return [...kept, ...set.filter(({ key }) => !keys.includes(key))];
}

/** What would do in place of a key that the model does not have. */
export function missingKey(key: string, keys: readonly string[]): string {
  const nearest = nearestName(key.slice(0, 100), keys);
  return `a key that the model has${nearest === undefined ? "" : ` (did you mean ${nearest}?)`}`;
}
