import { argumentError } from "../errors.js";
import { parseHeader } from "../sources/byte-source.js";
import { createNewFile } from "../sources/new-file.js";
import { readImatrixDat } from "./dat.js";
import { imatrixGgufBytes, matrixProblem, readImatrixGguf } from "./gguf.js";
import type { ImportanceMatrix } from "./types.js";

export interface ReadImportanceOptions {
  readonly signal?: AbortSignal | undefined;
  /** Tokens in a chunk of a legacy .dat, which does not say it; 512 by default, as in the program that wrote them. */
  readonly chunkSize?: number | undefined;
}

export interface WriteImportanceOptions {
  /** Replace a file that is there; false by default. */
  readonly overwrite?: boolean | undefined;
}

/**
 * Reads an importance matrix: upstream's GGUF, or the legacy .dat of before. All values are checked (finite, squares and
 * counts not negative), every allocation is bounded by the file.
 *
 * @throws NibbleError ERR_FORMAT with path and field, ERR_UNSUPPORTED, ERR_ARGUMENT, ERR_IO; `signal.reason` on abort.
 */
export async function readImportanceMatrix(
  path: string,
  options: ReadImportanceOptions = {},
): Promise<ImportanceMatrix> {
  const { signal, chunkSize = 512 } = options;
  if (!(Number.isInteger(chunkSize) && chunkSize >= 1 && chunkSize < 2 ** 31))
    throw argumentError("chunkSize", "a whole number from 1", chunkSize);
  const isGguf = await parseHeader(
    path,
    (cursor) => cursor.remaining >= 4 && cursor.take(4, "magic").toString("latin1") === "GGUF",
    signal,
  );
  return isGguf ? readImatrixGguf(path, signal) : readImatrixDat(path, chunkSize, signal);
}

/**
 * Writes a matrix in upstream's GGUF format, with `sums` as tensors of their own where an entry has them. The file gets
 * its name when it is whole and on the disk.
 *
 * @throws NibbleError ERR_ARGUMENT where the file exists (without `overwrite`), is a folder, or the matrix is not one;
 * ERR_IO.
 */
export async function writeImportanceMatrix(
  path: string,
  matrix: ImportanceMatrix,
  options: WriteImportanceOptions = {},
): Promise<void> {
  const { overwrite = false } = options;
  const problem = matrixProblem(matrix);
  if (problem !== undefined) throw argumentError("matrix", "a whole importance matrix", problem);
  const file = await createNewFile(path, overwrite);
  try {
    for (const piece of imatrixGgufBytes(matrix)) await file.write(piece);
    await file.publish();
  } finally {
    await file.discard();
  }
}
