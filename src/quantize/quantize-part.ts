import type { FileHandle } from "node:fs/promises";
import { ioError } from "../errors.js";
import { formatOfId } from "../formats.js";
import type { NativeErrorStats, NativeInput, NativeTask } from "../native/binding.js";
import { callNative } from "../native/call.js";
import type { QuantizePlan } from "../plan/types.js";
import type { LongCallOptions } from "../progress.js";
import { readGguf } from "../sources/gguf.js";
import { fingerprint, Journal } from "./journal.js";
import type { OutputNames } from "./output-file.js";
import type { OutputPart } from "./output-parts.js";
import { tensorFinding } from "./tensor-errors.js";

/** A file of the output with everything decided: what is read, what is written where. */
export interface PartJob extends OutputPart {
  readonly names: OutputNames;
  readonly tasks: readonly NativeTask[];
}

/** What the files of an output share. */
export interface JobContext extends LongCallOptions {
  readonly inputs: readonly NativeInput[];
  readonly threads: number;
  readonly importance: QuantizePlan["importance"];
}

/** Bytes of all tensors of a job, and of those that are done. */
export interface JobBytes {
  readonly total: number;
  readonly before: number;
}

/** The tensors that an interrupted run of this job has finished; undefined where there is nothing to go on with. */
export async function resumable(
  part: PartJob,
  { inputs }: JobContext,
): Promise<ReadonlySet<number> | undefined> {
  const id = await fingerprint(part.layout.header, part.tasks, inputs);
  return Journal.read(part.names, id, part.layout.totalBytes, part.tasks.length);
}

/** Bytes of the source that a part reads for the tensors that are not done. */
export function bytesToRead(part: PartJob, done: ReadonlySet<number> | undefined): number {
  return part.tasks.reduce((sum, { pieces, values }, index) => {
    if (done?.has(index) === true) return sum;
    return pieces.reduce((bytes, piece) => bytes + piece.bytes, sum + (values?.byteLength ?? 0));
  }, 0);
}

/** Fills a partial output: reads, quantizes and writes the tensors that are not done yet, keeping the journal. */
export async function writePart(
  { layout, names, tasks }: PartJob,
  { inputs, threads, signal, onProgress }: JobContext,
  partial: FileHandle,
  done: ReadonlySet<number> | undefined,
  { total, before }: JobBytes,
): Promise<void> {
  const left = tasks.map((_, index) => index).filter((index) => done?.has(index) !== true);
  const id = await fingerprint(layout.header, tasks, inputs);
  const journal = await Journal.open(names, partial, id, done !== undefined);
  try {
    // A first part may have metadata alone, and an interrupted run may have finished a part.
    if (left.length === 0) return;
    await callNative(
      (addon) =>
        addon.quantizeStream({
          inputs,
          output: names.partial,
          tasks: left.map((index) => tasks[index] as NativeTask),
          threads,
        }),
      signal,
      async ({ done: read, finished }) => {
        const indices = finished.map((i) => left[i] as number);
        await journal.add(indices);
        const label = tasks[indices.at(-1) ?? -1]?.name;
        onProgress?.({
          phase: "quantize",
          done: before + read,
          total,
          unit: "bytes",
          ...(label !== undefined && { label }),
        });
      },
    );
  } catch (error) {
    throw ioError(error, names.path, "write");
  } finally {
    // What has been done must not be lost to a user who stops the work, now or while it is verified, and resumes it.
    await journal.flush().catch(() => undefined);
    await journal.close();
  }
}

/** Figures of every tensor, and what is to be said of some. */
export interface Comparison {
  readonly stats: readonly NativeErrorStats[];
  readonly warnings: readonly string[];
}

/** Reads a partial output again: its structure by the reader of every GGUF, its values against the source's. */
export async function comparePart(
  { names, tasks, tensors }: PartJob,
  { inputs, threads, importance, signal, onProgress }: JobContext,
  { total, before }: JobBytes,
): Promise<Comparison> {
  await readGguf(names.partial, { signal });
  if (tasks.length === 0) return { stats: [], warnings: [] };
  const stats = await callNative(
    (addon) => addon.compareStream({ inputs, output: names.partial, tasks, threads }),
    signal,
    ({ done }) => onProgress?.({ phase: "verify", done: before + done, total, unit: "bytes" }),
  );
  const findings = tensors.flatMap((tensor, i) => {
    const row = stats[i] as NativeErrorStats;
    const values = tensor.shape.reduce((product, n) => product * n, 1);
    const from = formatOfId((tasks[i] as NativeTask).from)?.name ?? tensor.from;
    return (
      tensorFinding({ ...tensor, from }, row, values, importance?.has(tensor.name) ?? false) ?? []
    );
  });
  const problem = findings.find(({ isWarning }) => !isWarning);
  if (problem !== undefined) throw problem.error;
  return { stats, warnings: findings.map(({ error }) => error.message) };
}
