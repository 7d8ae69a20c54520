import { createHash } from "node:crypto";
import { open, readFile, stat, type FileHandle } from "node:fs/promises";
import { argumentError, ioError } from "../errors.js";
import type { NativeInput, NativeTask } from "../native/binding.js";
import type { OutputNames } from "./output-file.js";

/**
 * How often what is done is noted, at most: each time waits for the disk, so that a note costs no more than a few per
 * cent of the time, and a kill no more than that much work.
 */
const noteMilliseconds = 500;

/** What a job is: another source, recipe, layout or version of the journal gives another fingerprint. */
export async function fingerprint(
  header: Uint8Array,
  tasks: readonly NativeTask[],
  inputs: readonly NativeInput[],
): Promise<string> {
  const hash = createHash("sha256");
  hash.update("nibble journal 1\n");
  hash.update(header);
  const numbers = { importance: null, values: null };
  hash.update(JSON.stringify([tasks.map((task) => ({ ...task, ...numbers })), inputs]));
  for (const { importance, values } of tasks) {
    if (importance !== undefined) hash.update(importance);
    if (values !== undefined) hash.update(values);
  }
  for (const { path } of inputs) {
    const status = await stat(path).catch((error: unknown) => {
      throw ioError(error, path, "read");
    });
    hash.update(`${status.mtimeMs}\n`);
  }
  return hash.digest("hex");
}

/**
 * Which tensors of a partial output are done, as lines of text beside it: the job's fingerprint, then a tensor's index
 * a line. An index is written after the tensor's bytes were synced, so that what it says survives a loss of power. A
 * last line that was cut does not count.
 */
export class Journal {
  readonly #handle: FileHandle;
  readonly #partial: FileHandle;
  #pending: number[] = [];
  #noted = performance.now();

  private constructor(handle: FileHandle, partial: FileHandle) {
    this.#handle = handle;
    this.#partial = partial;
  }

  /** Opens a job's journal: a new one, or one to go on with. */
  static async open(
    names: OutputNames,
    partial: FileHandle,
    job: string,
    resume: boolean,
  ): Promise<Journal> {
    try {
      const handle = await open(names.journal, resume ? "a" : "w");
      // The last line of a journal may have been cut; what follows must not be glued to it.
      await handle.appendFile(resume ? "\n" : `${job}\n`);
      await handle.datasync();
      return new Journal(handle, partial);
    } catch (error) {
      throw ioError(error, names.journal, "write");
    }
  }

  /**
   * The tensors that an interrupted run has finished, or undefined where there is nothing to go on with.
   *
   * @throws NibbleError ERR_ARGUMENT where the partial output is another job's.
   */
  static async read(
    names: OutputNames,
    job: string,
    bytes: number,
    tensors: number,
  ): Promise<ReadonlySet<number> | undefined> {
    const partial = await stat(names.partial).catch(() => undefined);
    const text = await readFile(names.journal, "utf8").catch(() => undefined);
    const [first, ...lines] = text?.split("\n") ?? [];
    // A run that was interrupted before its journal's first line was whole has nothing to go on with.
    if (partial === undefined || first === undefined || lines.length === 0) return undefined;
    if (first !== job) {
      throw argumentError(
        "resume",
        `the source, recipe and options that ${names.partial} was begun with (without --resume it starts afresh)`,
        "another job",
      );
    }
    if (partial.size !== bytes) return undefined;
    lines.pop();
    return new Set(
      lines
        .filter((line) => /^[0-9]+$/.test(line))
        .map(Number)
        .filter((index) => index < tensors),
    );
  }

  /** Takes tensors as done; they are noted in the file now and then, and by `flush`. */
  async add(finished: readonly number[]): Promise<void> {
    this.#pending.push(...finished);
    if (performance.now() - this.#noted >= noteMilliseconds) await this.flush();
  }

  /** Notes the tensors that are done, once their bytes are on the disk. */
  async flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    const finished = this.#pending;
    this.#pending = [];
    await this.#partial.datasync();
    await this.#handle.appendFile(finished.map((index) => `${index}\n`).join(""));
    await this.#handle.datasync();
    this.#noted = performance.now();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
