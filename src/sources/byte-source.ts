import { open, type FileHandle } from "node:fs/promises";
import { ioError, NibbleError } from "../errors.js";

/** How much of a file is read first; it doubles as long as the header goes on. */
const firstBytes = 1 << 20;
/** More header than this is an attack on memory: the largest vocabularies make 20 MB. */
const maxHeaderBytes = 2 ** 30;

/** Thrown by the cursor where the file goes on but has not been read so far; never leaves this file. */
class MoreWanted {
  constructor(readonly bytes: number) {}
}

/** A place in a file's first bytes. Every read is bounded by what is left of the file, before anything is allocated. */
export class Cursor {
  readonly path: string;
  /** Length of the whole file. */
  readonly fileBytes: number;
  readonly #bytes: Buffer;
  #position = 0;

  constructor(path: string, fileBytes: number, bytes: Buffer) {
    this.path = path;
    this.fileBytes = fileBytes;
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#position;
  }

  /** Bytes between here and the end of the file. */
  get remaining(): number {
    return this.fileBytes - this.#position;
  }

  /** The error for a file that is damaged here; `field` is what was being read. */
  damaged(field: string, problem: string, offset = this.#position): NibbleError {
    return formatError(this.path, field, problem, offset);
  }

  /** The next bytes, as a view. */
  take(bytes: number, field: string): Buffer {
    if (bytes > this.remaining) {
      throw this.damaged(
        field,
        `needs ${bytes} bytes, and the file ends after ${this.remaining}; it is cut or damaged, fetch it again`,
      );
    }
    const end = this.#position + bytes;
    if (end > this.#bytes.length) throw new MoreWanted(end);
    const view = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return view;
  }

  u32(field: string): number {
    return this.take(4, field).readUInt32LE();
  }

  u64(field: string): bigint {
    return this.take(8, field).readBigUInt64LE();
  }

  /** A view of what has been read between two places. */
  between(from: number, to: number): Buffer {
    return this.#bytes.subarray(from, to);
  }
}

/** A file that is damaged or hostile. */
export function formatError(
  path: string,
  field: string,
  problem: string,
  offset?: number,
): NibbleError {
  const where = offset === undefined ? "" : ` (at byte ${offset})`;
  const message = `${path}: ${field}: ${problem}${where}`;
  const details = offset === undefined ? { path, field } : { path, field, offset };
  return new NibbleError("ERR_FORMAT", message, details);
}

/**
 * Parses the beginning of a file, of which no more is read than the header is long (in doubling steps).
 *
 * @throws NibbleError ERR_IO, ERR_ARGUMENT where the path is no file, and what `parse` throws.
 */
export async function parseHeader<T>(
  path: string,
  parse: (cursor: Cursor) => T,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const status = await handle.stat();
    if (!status.isFile()) {
      const expected = "a file";
      throw new NibbleError("ERR_ARGUMENT", `${path}: is not a file`, {
        option: "model",
        expected,
      });
    }
    return await parseGrowing(handle, path, status.size, parse, signal);
  } catch (error) {
    throw ioError(error, path, "read");
  } finally {
    await handle?.close();
  }
}

/**
 * A few bytes from the middle of a file.
 *
 * @throws NibbleError ERR_IO, ERR_FORMAT where the file ends before.
 */
export async function readSpan(
  path: string,
  offset: number,
  bytes: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  signal?.throwIfAborted();
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, offset);
    if (bytesRead !== bytes) throw formatError(path, "file", "is shorter than its header says");
    return buffer;
  } catch (error) {
    throw ioError(error, path, "read");
  } finally {
    await handle?.close();
  }
}

async function parseGrowing<T>(
  handle: FileHandle,
  path: string,
  fileBytes: number,
  parse: (cursor: Cursor) => T,
  signal: AbortSignal | undefined,
): Promise<T> {
  let bytes: Buffer = Buffer.alloc(0);
  let wanted = firstBytes;
  for (;;) {
    bytes = await readMore(handle, path, bytes, Math.min(wanted, fileBytes), signal);
    try {
      return parse(new Cursor(path, fileBytes, bytes));
    } catch (error) {
      if (!(error instanceof MoreWanted)) throw error;
      if (error.bytes > maxHeaderBytes)
        throw formatError(path, "header", "is longer than 1 GiB", bytes.length);
      wanted = Math.min(Math.max(error.bytes, bytes.length * 2), maxHeaderBytes);
    }
  }
}

async function readMore(
  handle: FileHandle,
  path: string,
  before: Buffer,
  wanted: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(wanted);
  before.copy(bytes);
  for (let length = before.length; length < wanted;) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(
      bytes,
      length,
      Math.min(wanted - length, 1 << 24),
      length,
    );
    if (bytesRead === 0)
      throw formatError(path, "file", "became shorter while it was read", length);
    length += bytesRead;
  }
  return bytes;
}
