import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { ioError, NibbleError } from "../errors.js";
import type { LongCallOptions } from "../progress.js";
import type { ModelInfo, Piece } from "../sources/model-info.js";

/** A mebibyte at a time: hashing that takes about a millisecond, so that the event loop stays free. */
const chunkBytes = 1 << 20;

/** The sha256 of every tensor's bytes, in hexadecimal, in the order of `model.tensors`. */
export async function hashTensors(model: ModelInfo, options: LongCallOptions): Promise<string[]> {
  const handles: FileHandle[] = [];
  const total = model.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  let done = 0;
  try {
    for (const { path } of model.files) handles.push(await open(path).catch(rethrow(path)));
    const buffer = Buffer.allocUnsafe(chunkBytes);
    const sums: string[] = [];
    for (const tensor of model.tensors) {
      const hash = createHash("sha256");
      for (const piece of tensor.pieces) {
        const handle = handles[piece.file] as FileHandle;
        const path = model.files[piece.file]?.path ?? model.path;
        for await (const part of chunks(handle, path, piece, buffer)) {
          options.signal?.throwIfAborted();
          hash.update(part);
          done += part.length;
          options.onProgress?.({ phase: "hash", done, total, unit: "bytes", label: tensor.name });
        }
      }
      sums.push(hash.digest("hex"));
    }
    return sums;
  } finally {
    for (const handle of handles) await handle.close();
  }
}

async function* chunks(
  handle: FileHandle,
  path: string,
  piece: Piece,
  buffer: Buffer,
): AsyncGenerator<Buffer> {
  const end = piece.offset + piece.bytes;
  for (let offset = piece.offset; offset < end;) {
    const wanted = Math.min(buffer.length, end - offset);
    const { bytesRead } = await handle.read(buffer, 0, wanted, offset).catch(rethrow(path));
    if (bytesRead === 0) {
      throw new NibbleError(
        "ERR_FORMAT",
        `${path}: ends at byte ${offset}, inside a tensor; fetch it again`,
        {
          path,
          offset,
          field: "tensor data",
        },
      );
    }
    yield buffer.subarray(0, bytesRead);
    offset += bytesRead;
  }
}

function rethrow(path: string): (error: unknown) => never {
  return (error) => {
    throw ioError(error, path, "read");
  };
}
