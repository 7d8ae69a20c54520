import { open, type FileHandle } from "node:fs/promises";
import { ioError } from "../errors.js";
import { formatError } from "../sources/byte-source.js";
import type { SourceFile, TensorInfo } from "../sources/model-info.js";

/** A mebibyte at a time: hashing that takes about a millisecond, so that the event loop stays free. */
const chunkBytes = 1 << 20;

/** Some of a tensor's bytes; they are overwritten when the next ones are asked for. */
export interface TensorChunk {
  readonly tensor: TensorInfo;
  readonly bytes: Buffer;
  /** Whether the tensor ends with these. */
  readonly isLast: boolean;
}

/**
 * The bytes of tensors as they lie in their files, in the order given, at most a mebibyte at a time.
 *
 * @throws NibbleError ERR_IO, ERR_FORMAT where a file is not as long as it was when its header was read; `signal.reason`
 * on abort.
 */
export async function* readTensors(
  files: readonly SourceFile[],
  tensors: readonly TensorInfo[],
  signal?: AbortSignal,
): AsyncGenerator<TensorChunk> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  const opened = new OpenFile(files);
  try {
    for (const tensor of tensors) {
      let left = tensor.bytes;
      for (const piece of tensor.pieces) {
        const end = piece.offset + piece.bytes;
        for (let offset = piece.offset; offset < end;) {
          signal?.throwIfAborted();
          const wanted = buffer.subarray(0, Math.min(buffer.length, end - offset));
          const bytes = await opened.read(piece.file, wanted, offset);
          offset += bytes.length;
          left -= bytes.length;
          yield { tensor, bytes, isLast: left === 0 };
        }
      }
    }
  } finally {
    await opened.close();
  }
}

/** The one file that is open: a model of a thousand parts does not need a thousand handles. */
class OpenFile {
  readonly #files: readonly SourceFile[];
  #index = -1;
  #handle: FileHandle | undefined;

  constructor(files: readonly SourceFile[]) {
    this.#files = files;
  }

  /** Reads into `target` at `offset`; gives the part that was filled, at least a byte. */
  async read(index: number, target: Buffer, offset: number): Promise<Buffer> {
    const file = this.#files[index] as SourceFile;
    try {
      const handle = await this.#open(index, file);
      const { bytesRead } = await handle.read(target, 0, target.length, offset);
      if (bytesRead === 0) throw changed(file, offset);
      return target.subarray(0, bytesRead);
    } catch (error) {
      throw ioError(error, file.path, "read");
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    this.#index = -1;
  }

  async #open(index: number, file: SourceFile): Promise<FileHandle> {
    if (this.#handle !== undefined && this.#index === index) return this.#handle;
    await this.close();
    const handle = await open(file.path);
    this.#handle = handle;
    this.#index = index;
    const { size } = await handle.stat();
    if (size !== file.bytes) throw changed(file, Math.min(size, file.bytes));
    return handle;
  }
}

function changed({ path, bytes }: SourceFile, offset: number) {
  const problem = `the file had ${bytes} bytes a moment ago; something else changes it`;
  return formatError(path, "tensor data", problem, offset);
}
