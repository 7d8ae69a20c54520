import { open, type FileHandle } from "node:fs/promises";
import { argumentError, ioError } from "../errors.js";
import { formatError, parseHeader } from "../sources/byte-source.js";
import { createNewFile } from "../sources/new-file.js";
import {
  encodeReferenceHeader,
  parseReferenceHeader,
  type ReferenceHeader,
} from "./reference-header.js";
import {
  createRecorder,
  decodeRecord,
  encodeRecord,
  recordBytes,
  type ReferenceRecord,
} from "./reference-record.js";

/** What is read or written at a time. */
const blockBytes = 1 << 20;

export interface ReferenceWriter {
  /**
   * The next position; wait for each.
   *
   * @param logits The reference's, one per token of the vocabulary; is not changed.
   * @param target The token that came.
   * @returns ln of its probability.
   * @throws NibbleError ERR_ARGUMENT, ERR_UNSUPPORTED where logits are NaN, ERR_IO.
   */
  readonly add: (logits: Float32Array, target: number) => Promise<number>;
  /** Gives the file its name. @throws NibbleError ERR_ARGUMENT where positions are missing, ERR_IO. */
  readonly finish: () => Promise<void>;
  /** Removes what was written, if it is not finished. */
  readonly discard: () => Promise<void>;
}

export interface ReferenceReader {
  readonly header: ReferenceHeader;
  /** chunks x positionsPerChunk. */
  readonly positions: number;
  /**
   * The record of a position, counted through all chunks; fast in ascending order.
   *
   * @throws NibbleError ERR_ARGUMENT, ERR_FORMAT, ERR_IO.
   */
  readonly read: (position: number) => Promise<ReferenceRecord>;
  readonly close: () => Promise<void>;
}

/**
 * Begins a reference file of `header.chunks * header.positionsPerChunk` positions.
 *
 * @throws NibbleError ERR_ARGUMENT where the header makes no sense or the file exists (without `overwrite`), ERR_IO.
 */
export async function createReferenceWriter(
  path: string,
  header: ReferenceHeader,
  { overwrite = false }: { readonly overwrite?: boolean | undefined } = {},
): Promise<ReferenceWriter> {
  const begin = encodeReferenceHeader(header);
  const { vocabularySize, topK } = header;
  const positions = header.chunks * header.positionsPerChunk;
  const bytes = recordBytes(header.topK);
  const buffer = Buffer.alloc(bytes * recordsPerBlock(bytes));
  const recordOf = createRecorder(vocabularySize, topK);
  const file = await createNewFile(path, overwrite);
  let length = 0;
  let added = 0;
  const flush = async (): Promise<void> => {
    const full = buffer.subarray(0, length);
    length = 0;
    await file.write(full);
  };
  await file.write(begin).catch(async (error: unknown) => {
    await file.discard();
    throw error;
  });
  return {
    async add(logits, target) {
      if (logits.length !== vocabularySize)
        throw argumentError("logits", `${vocabularySize} of them`, logits.length);
      if (!Number.isInteger(target) || target < 0 || target >= vocabularySize)
        throw argumentError("target", `a token id from 0 to ${vocabularySize - 1}`, target);
      if (added === positions) throw argumentError("positions", `${positions}`, "one more");
      const record = recordOf(logits, target);
      encodeRecord(buffer.subarray(length, length + bytes), record);
      length += bytes;
      added += 1;
      if (length === buffer.length) await flush();
      return record.targetLogProbability;
    },
    async finish() {
      if (added !== positions) throw argumentError("positions", `${positions}`, added);
      await flush();
      await file.publish();
    },
    discard: file.discard,
  };
}

function recordsPerBlock(bytes: number): number {
  return Math.max(1, Math.floor(blockBytes / bytes));
}

/**
 * Opens a reference file. Its length is checked here, so that a cut file is found before any work.
 *
 * @throws NibbleError ERR_FORMAT with path, offset and field; ERR_IO; ERR_ARGUMENT where the path is no file.
 */
export async function openReference(path: string, signal?: AbortSignal): Promise<ReferenceReader> {
  const { header, start } = await parseHeader(path, parseReferenceHeader, signal);
  const positions = header.chunks * header.positionsPerChunk;
  const bytes = recordBytes(header.topK);
  const perBlock = recordsPerBlock(bytes);
  const handle = await open(path, "r").catch((error: unknown) => {
    throw ioError(error, path, "read");
  });
  let block: { readonly index: number; readonly bytes: Promise<Buffer> } | undefined;
  return {
    header,
    positions,
    async read(position) {
      if (!Number.isInteger(position) || position < 0 || position >= positions)
        throw argumentError("position", `an integer from 0 to ${positions - 1}`, position);
      const index = Math.floor(position / perBlock);
      if (block?.index !== index) {
        const first = index * perBlock;
        const length = Math.min(perBlock, positions - first) * bytes;
        block = { index, bytes: readFully(handle, path, start + first * bytes, length) };
      }
      const from = (position - index * perBlock) * bytes;
      const record = (await block.bytes).subarray(from, from + bytes);
      return decodeRecord(record, header, path, start + position * bytes);
    },
    close: () => handle.close(),
  };
}

async function readFully(
  handle: FileHandle,
  path: string,
  offset: number,
  length: number,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle
      .read(bytes, done, length - done, offset + done)
      .catch((error: unknown) => {
        throw ioError(error, path, "read");
      });
    if (bytesRead === 0)
      throw formatError(path, "file", "became shorter while it was read", offset + done);
    done += bytesRead;
  }
  return bytes;
}
