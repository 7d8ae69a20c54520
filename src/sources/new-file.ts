import { randomBytes } from "node:crypto";
import { link, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { argumentError, ioError } from "../errors.js";

/** A file that has yet to get its name. */
export interface UnnamedFile {
  readonly partial: string;
  readonly path: string;
}

/** A file that gets its name when it is whole and on the disk. */
export interface NewFile extends UnnamedFile {
  /** Where it lies until it is published: what was written can be read there. */
  readonly partial: string;
  /** Appends. @throws NibbleError ERR_IO */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Syncs and closes the file, which is whole. @throws NibbleError ERR_IO */
  readonly finish: () => Promise<void>;
  /** Finishes the file and names it. @throws NibbleError ERR_IO, ERR_ARGUMENT where the name was taken meanwhile. */
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
  let isFinished = false;
  const finish = async (): Promise<void> => {
    if (isFinished) return;
    await doing(async () => {
      await handle.sync();
      await handle.close();
    });
    isFinished = true;
  };
  return {
    path,
    partial,
    finish,
    write: (bytes) => doing(() => handle.appendFile(bytes)),
    async publish() {
      await finish();
      await doing(() => giveName(partial, path, overwrite));
    },
    async discard() {
      if (!isFinished) await handle.close().catch(() => undefined);
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

/**
 * Names files that are whole and synced, and that are of no use without one another. Where that fails midway, those that
 * have their names lose them again, but for what `overwrite` has replaced by then: a new file is left in its place.
 *
 * @throws NibbleError ERR_ARGUMENT where a name was taken meanwhile (without `overwrite`), ERR_IO.
 */
export async function giveNames(files: readonly UnnamedFile[], overwrite: boolean): Promise<void> {
  const named: string[] = [];
  for (const { partial, path } of files) {
    try {
      await giveName(partial, path, overwrite);
      named.push(path);
    } catch (error) {
      if (!overwrite) for (const name of named) await rm(name, { force: true });
      throw ioError(error, path, "write");
    }
  }
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
