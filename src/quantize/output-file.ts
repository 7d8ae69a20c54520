import { mkdir, open, rm, stat, statfs, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { argumentError, ioError, NibbleError } from "../errors.js";
import type { NativeInput } from "../native/binding.js";
import { checkName, giveNames } from "../sources/new-file.js";

/** The names that an output has on its way: nothing stands under `path` before it is whole and verified. */
export interface OutputNames {
  readonly path: string;
  readonly partial: string;
  readonly journal: string;
}

export function outputNames(path: string): OutputNames {
  return { path, partial: `${path}.partial`, journal: `${path}.partial.journal` };
}

/**
 * Refuses an output that exists (without `overwrite`), that is a folder, or that is one of the inputs (always).
 *
 * @throws NibbleError ERR_ARGUMENT
 */
export async function checkOutput(
  names: OutputNames,
  inputs: readonly NativeInput[],
  overwrite: boolean,
): Promise<void> {
  for (const path of [names.path, names.partial]) {
    const there = await identity(path);
    if (there === undefined) continue;
    for (const input of inputs) {
      if ((await identity(input.path)) === there) {
        throw argumentError("output", "a file that is not one of the inputs", path);
      }
    }
  }
  await checkName(names.path, overwrite);
}

/** Which file a path leads to, through links, or undefined where there is none. */
async function identity(path: string): Promise<string | undefined> {
  const status = await stat(path, { bigint: true }).catch(() => undefined);
  return status === undefined ? undefined : `${status.dev}:${status.ino}`;
}

/**
 * Makes sure that the disk has room for files of together `bytes`, of which partial outputs may already hold some.
 *
 * @throws NibbleError ERR_IO (ENOSPC) with what is needed and what is there.
 */
export async function checkFreeSpace(
  outputs: readonly OutputNames[],
  bytes: number,
): Promise<void> {
  const { path } = outputs[0] as OutputNames;
  const space = await statfs(dirname(path)).catch(() => undefined);
  // A file system that does not tell (or tells nonsense) is not a reason to refuse.
  if (space === undefined || space.blocks === 0) return;
  let free = space.bavail * space.bsize;
  for (const { partial } of outputs) {
    const held = await stat(partial).catch(() => undefined);
    free += (held?.blocks ?? 0) * 512;
  }
  if (free >= bytes) return;
  throw new NibbleError(
    "ERR_IO",
    `${path}: needs ${bytes} bytes and the disk has ${free} free (ENOSPC); free some space or choose another output`,
    { path, errno: "ENOSPC" },
  );
}

/** Opens the partial output at its final length, with its header; keeps what a former run wrote if `resume`. */
export async function openPartial(
  names: OutputNames,
  header: Uint8Array,
  bytes: number,
  resume: boolean,
): Promise<FileHandle> {
  try {
    await mkdir(dirname(names.path), { recursive: true });
    // First the journal goes: it must never speak of a partial output that was begun after it.
    if (!resume) await rm(names.journal, { force: true });
    const handle = await open(names.partial, resume ? "r+" : "w+");
    try {
      await handle.truncate(bytes);
      await handle.write(header, 0, header.length, 0);
      await handle.datasync();
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    throw ioError(error, names.partial, "write");
  }
}

/**
 * Syncs partial outputs that are whole, then gives all of them their names, which no other files lose unless `overwrite`.
 */
export async function publish(outputs: readonly OutputNames[], overwrite: boolean): Promise<void> {
  for (const { path, partial } of outputs) {
    try {
      // Windows syncs only what can be written.
      const handle = await open(partial, "r+");
      await handle.sync().finally(() => handle.close());
    } catch (error) {
      throw ioError(error, path, "write");
    }
  }
  await giveNames(outputs, overwrite);
  for (const { journal } of outputs) await rm(journal, { force: true });
}

/** Removes what a failed run left. */
export async function discardPartial(names: OutputNames): Promise<void> {
  await rm(names.partial, { force: true });
  await rm(names.journal, { force: true });
}
