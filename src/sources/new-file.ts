import { randomBytes } from "node:crypto";
import { link, mkdir, open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { argumentError, ioError } from "../errors.js";

/** A file that gets its name when it is whole and on the disk. */
export interface NewFile {
  /** Where it lies until it is published: what was written can be read there. */
  readonly partial: string;
  /** Appends. @throws NibbleError ERR_IO */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Syncs the file and names it. @throws NibbleError ERR_IO, ERR_ARGUMENT where the name was taken meanwhile. */
  readonly publish: () => Promise<void>;
  /** Removes what was written, if it was not published. */
  readonly discard: () => Promise<void>;
}

/**
 * Begins a file under another name in the same folder, which is made.
 *
 * @throws NibbleError ERR_ARGUMENT where the file exists (without `overwrite`) or is a folder, ERR_IO.
 */
export async function createNewFile(path: string, overwrite: boolean): Promise<NewFile> {
  await checkName(path, overwrite);
  // Another name for each: two that write at once do not mix their bytes.
  const partial = `${path}.${randomBytes(4).toString("hex")}.partial`;
  const doing = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw ioError(error, path, "write");
    }
  };
  const handle = await doing(async () => {
    await mkdir(dirname(path), { recursive: true });
    return open(partial, "wx");
  });
  return {
    partial,
    write: (bytes) => doing(() => handle.appendFile(bytes)),
    publish: () => doing(() => publish(handle, partial, path, overwrite)),
    async discard() {
      await handle.close().catch(() => undefined);
      await rm(partial, { force: true });
    },
  };
}

/**
 * Whether a new file can get that name, so that it is known before the work.
 *
 * @throws NibbleError ERR_ARGUMENT where the file exists (without `overwrite`) or is a folder.
 */
export async function checkName(path: string, overwrite: boolean): Promise<void> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory() === true) throw argumentError("output", "a file, not a folder", path);
  if (status !== undefined && !overwrite) throw taken(path);
}

async function publish(
  handle: FileHandle,
  partial: string,
  path: string,
  overwrite: boolean,
): Promise<void> {
  await handle.sync();
  await handle.close();
  await giveName(partial, path, overwrite);
}

/**
 * Renames a file that is whole and synced, so that the new name survives a loss of power.
 *
 * @throws NibbleError ERR_ARGUMENT where the name was taken meanwhile (without `overwrite`); errors of the system.
 */
export async function giveName(partial: string, path: string, overwrite: boolean): Promise<void> {
  if (overwrite) await rename(partial, path);
  else await linkNew(partial, path);
  await rm(partial, { force: true });
  await syncFolder(dirname(path));
}

/** A link fails where the name was taken meanwhile; a rename would replace that file. */
async function linkNew(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw taken(path);
    // File systems without hard links (exFAT): the name was free a moment ago.
    await rename(partial, path);
  }
}

function taken(path: string) {
  return argumentError("output", "a file that does not exist yet (--overwrite replaces it)", path);
}

/** Systems that cannot sync a folder do it by themselves. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
