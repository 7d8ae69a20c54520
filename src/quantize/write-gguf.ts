import type { MetadataEntry, ModelInfo, TensorInfo } from "../sources/model-info.js";
import { readGguf } from "../sources/gguf.js";
import { createNewFile } from "../sources/new-file.js";
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
  for (const path of paths) await checkOutput(outputNames(path), source.files, overwrite);
  const [first] = paths;
  if (first !== undefined) await checkFreeSpace(outputNames(first), bytes);
}

/**
 * Copies tensors of a model to a new GGUF, a mebibyte at a time. The file gets its name when it is whole, on the disk and
 * accepted by the reader of every GGUF.
 *
 * @throws NibbleError ERR_ARGUMENT where the name is taken, ERR_FORMAT, ERR_IO; `signal.reason` on abort.
 */
export async function writeGguf(
  content: GgufContent,
  source: ModelInfo,
  options: WriteGgufOptions,
): Promise<void> {
  const { path, tensors } = content;
  const { overwrite, signal, onBytes } = options;
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
    signal?.throwIfAborted();
    await file.publish();
  } finally {
    await file.discard();
  }
}
