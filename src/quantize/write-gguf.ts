import type { MetadataEntry, ModelInfo, TensorInfo } from "../sources/model-info.js";
import { readGguf } from "../sources/gguf.js";
import { createNewFile, giveNames, type NewFile } from "../sources/new-file.js";
import { layoutGguf, type Layout } from "./layout.js";
import { checkFreeSpace, checkOutput, outputNames } from "./output-file.js";
import { readTensors } from "./read-tensors.js";

/** What a GGUF is to hold: tensors of a model, as they are. */
export interface GgufContent {
  readonly path: string;
  readonly metadata: readonly MetadataEntry[];
  readonly tensors: readonly TensorInfo[];
}

export interface WriteGgufOptions {
  readonly overwrite: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called with every tensor's bytes as they are written. */
  readonly onBytes?: ((bytes: number, tensor: string) => void) | undefined;
}

/** Where everything lies in the file. @throws NibbleError ERR_UNSUPPORTED for an alignment that does not work. */
export function layoutOf({ metadata, tensors }: GgufContent): Layout {
  return layoutGguf(metadata, tensors);
}

/**
 * Makes sure that files of together `bytes` can be written: none of them is one of the model's own, none is there
 * already (without `overwrite`), and the disk has the room.
 *
 * @throws NibbleError ERR_ARGUMENT, ERR_IO
 */
export async function checkOutputs(
  paths: readonly string[],
  source: ModelInfo,
  bytes: number,
  overwrite: boolean,
): Promise<void> {
  const names = paths.map(outputNames);
  for (const each of names) await checkOutput(each, source.files, overwrite);
  await checkFreeSpace(names, bytes);
}

/**
 * Copies tensors of a model to new GGUFs, a mebibyte at a time. The files get their names when all of them are whole, on the
 * disk and accepted by the reader of every GGUF: until then, what has those names stays.
 *
 * @throws NibbleError ERR_ARGUMENT where a name is taken, ERR_FORMAT, ERR_IO; `signal.reason` on abort.
 */
export async function writeGgufs(
  contents: readonly GgufContent[],
  source: ModelInfo,
  options: WriteGgufOptions,
): Promise<void> {
  const files: NewFile[] = [];
  try {
    for (const content of contents) files.push(await writeUnnamed(content, source, options));
    options.signal?.throwIfAborted();
    await giveNames(files, options.overwrite);
  } finally {
    for (const file of files) await file.discard();
  }
}

/** Writes a file but for its name. */
async function writeUnnamed(
  content: GgufContent,
  source: ModelInfo,
  { overwrite, signal, onBytes }: WriteGgufOptions,
): Promise<NewFile> {
  const { path, tensors } = content;
  const layout = layoutOf(content);
  const file = await createNewFile(path, overwrite);
  try {
    await file.write(layout.header);
    let end = layout.dataOffset;
    let next = 0;
    for await (const { tensor, bytes, isLast } of readTensors(source.files, tensors, signal)) {
      await file.write(bytes);
      onBytes?.(bytes.length, tensor.name);
      end += bytes.length;
      if (!isLast) continue;
      next += 1;
      const padding = (layout.tensors[next]?.offset ?? layout.totalBytes) - end;
      if (padding > 0) await file.write(new Uint8Array(padding));
      end += padding;
    }
    await readGguf(file.partial, { signal });
    await file.finish();
    return file;
  } catch (error) {
    await file.discard();
    throw error;
  }
}
