import type { FileHandle } from "node:fs/promises";
import { argumentError, ioError } from "../errors.js";
import type { FormatName } from "../formats.js";
import type { NativeErrorStats, NativeInput, NativeTask } from "../native/binding.js";
import { callNative, threadCount } from "../native/call.js";
import { machine } from "../native/load.js";
import { plan as planSource, type PlanSourceOptions } from "../plan/plan-source.js";
import { summarizePlan } from "../plan/plan.js";
import type { PlannedTensor, QuantizePlan } from "../plan/types.js";
import type { ThreadedCallOptions } from "../progress.js";
import { readGguf } from "../sources/gguf.js";
import { fingerprint, Journal } from "./journal.js";
import { layoutGguf, type Layout } from "./layout.js";
import {
  checkFreeSpace,
  checkOutput,
  discardPartial,
  openPartial,
  outputNames,
  publish,
  type OutputNames,
} from "./output-file.js";
import { nativeTask } from "./tasks.js";
import { tensorError, tensorFinding, type TensorError } from "./tensor-errors.js";

/** How the values are rounded. `reference` gives the bytes of llama-quantize. */
export type QuantizeMethod = "reference";
export const quantizeMethods: readonly QuantizeMethod[] = ["reference"];

export interface WriteOptions extends ThreadedCallOptions {
  /** Path of the GGUF to write. */
  readonly output: string;
  /** Replace the output if it exists. Default false. */
  readonly overwrite?: boolean;
  /** Go on with what an interrupted run of the same job left. Default false. */
  readonly resume?: boolean;
  /** Read the output again and compare every tensor with its source. Default true. */
  readonly verify?: boolean;
  readonly method?: QuantizeMethod;
}

/** What to quantize to, when the source is not a plan already. */
export interface QuantizeOptions extends WriteOptions, Partial<PlanSourceOptions> {}

/** What became of one tensor; errors are there where the output was verified. */
export interface QuantizedTensor extends Partial<TensorError> {
  readonly name: string;
  readonly from: FormatName;
  readonly to: FormatName;
  readonly bytes: number;
  readonly reason: string;
}

export interface QuantizeReport {
  readonly output: string;
  readonly recipe: string;
  readonly method: QuantizeMethod;
  /** Bytes of the output file, and of the source's tensors. */
  readonly bytes: number;
  readonly sourceBytes: number;
  readonly bitsPerWeight: number;
  /** Of reading, quantizing and writing; of verifying. */
  readonly seconds: number;
  readonly verifySeconds: number;
  readonly threads: number;
  readonly isa: string;
  /** Tensors that a former run had done. */
  readonly resumedTensors: number;
  readonly verified: boolean;
  readonly overwritten: boolean;
  readonly tensors: readonly QuantizedTensor[];
  readonly warnings: readonly string[];
}

/** A job with everything decided: what is read, what is written where. */
interface Job {
  readonly plan: QuantizePlan;
  readonly layout: Layout;
  readonly tasks: readonly NativeTask[];
  readonly inputs: readonly NativeInput[];
  readonly names: OutputNames;
  readonly options: WriteOptions;
  readonly threads: number;
}

/**
 * Quantizes a model to a GGUF that every llama.cpp loads: source rows are read, quantized and written tile by tile, at
 * constant memory, then the output is read again, compared with the source, synced and given its name.
 *
 * `source` is a Hugging Face directory, a GGUF, or a plan of `plan()`. An abort leaves what `resume` can use; any other
 * failure leaves nothing.
 *
 * @throws NibbleError ERR_ARGUMENT, ERR_FORMAT, ERR_UNSUPPORTED, ERR_PLAN, ERR_IO, ERR_VERIFY; `signal.reason` on abort.
 */
export async function quantize(
  source: string | QuantizePlan,
  options: QuantizeOptions,
): Promise<QuantizeReport> {
  const { signal } = options;
  signal?.throwIfAborted();
  checkOptions(options);
  const plan = typeof source === "string" ? await planOf(source, options) : source;
  const job = makeJob(plan, options);
  await checkOutput(job.names, job.inputs, options.overwrite ?? false);
  const done = options.resume === true ? await resumable(job) : undefined;
  await checkFreeSpace(job.names, job.layout.totalBytes);
  const partial = await openPartial(
    job.names,
    job.layout.header,
    job.layout.totalBytes,
    done !== undefined,
  );
  try {
    return await write(job, partial, done);
  } catch (error) {
    if (signal?.aborted !== true) await discardPartial(job.names);
    throw error;
  } finally {
    await partial.close();
  }
}

function checkOptions(options: QuantizeOptions): void {
  if (typeof options.output !== "string" || options.output === "") {
    throw argumentError("output", "the path of the GGUF to write", options.output);
  }
  const method = options.method ?? "reference";
  if (!quantizeMethods.includes(method)) {
    throw argumentError("method", `one of ${quantizeMethods.join(", ")}`, method);
  }
}

async function planOf(source: string, options: QuantizeOptions): Promise<QuantizePlan> {
  const { recipe } = options;
  if (recipe === undefined) throw argumentError("type", "a recipe such as Q4_0", recipe);
  return planSource(source, { ...options, recipe });
}

function makeJob(plan: QuantizePlan, options: WriteOptions): Job {
  const layout = layoutGguf(
    plan.metadata,
    plan.tensors.map(({ name, to, shape, bytes }) => ({ name, type: to, shape, bytes })),
  );
  const sources = new Map(plan.source.tensors.map((tensor) => [tensor.name, tensor]));
  const offsets = new Map(layout.tensors.map(({ name, offset }) => [name, offset]));
  const tasks = plan.tensors.map((planned) => {
    const source = sources.get(planned.name);
    const offset = offsets.get(planned.name);
    if (source === undefined || offset === undefined) {
      throw argumentError("source", "a plan whose tensors are its source's", planned.name);
    }
    return nativeTask(source, planned.to, offset, plan.importance?.get(planned.name));
  });
  return {
    plan,
    layout,
    tasks,
    inputs: plan.source.files,
    names: outputNames(options.output),
    options,
    threads: threadCount(options.threads),
  };
}

/** The tensors that an interrupted run of this job has finished; undefined where there is nothing to go on with. */
async function resumable(job: Job): Promise<ReadonlySet<number> | undefined> {
  const id = await fingerprint(job.layout.header, job.tasks, job.inputs);
  return Journal.read(job.names, id, job.layout.totalBytes, job.tasks.length);
}

async function write(
  job: Job,
  partial: FileHandle,
  done: ReadonlySet<number> | undefined,
): Promise<QuantizeReport> {
  const { plan, layout, names, options } = job;
  const began = performance.now();
  await stream(job, partial, done);
  const seconds = (performance.now() - began) / 1000;
  const verifies = options.verify ?? true;
  const compared = verifies ? await compare(job) : undefined;
  const verifySeconds = (performance.now() - began) / 1000 - seconds;
  options.signal?.throwIfAborted();
  await publish(names, partial, options.overwrite ?? false);
  const { bitsPerWeight } = summarizePlan(plan);
  return {
    output: names.path,
    recipe: plan.recipe,
    method: options.method ?? "reference",
    bytes: layout.totalBytes,
    sourceBytes: plan.source.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
    bitsPerWeight,
    seconds,
    verifySeconds,
    threads: job.threads,
    isa: machine().isa,
    resumedTensors: done?.size ?? 0,
    verified: verifies,
    overwritten: options.overwrite ?? false,
    tensors: plan.tensors.map((tensor, i) => quantizedTensor(tensor, compared?.stats[i])),
    warnings: [...plan.warnings, ...(compared?.warnings ?? [])],
  };
}

function quantizedTensor(
  tensor: PlannedTensor,
  stats: NativeErrorStats | undefined,
): QuantizedTensor {
  const { name, from, to, bytes, reason } = tensor;
  return { name, from, to, bytes, reason, ...(stats && tensorError(stats, values(tensor))) };
}

function values(tensor: PlannedTensor): number {
  return tensor.shape.reduce((product, n) => product * n, 1);
}

/** Reads, quantizes and writes the tensors that are not done yet, keeping the journal. */
async function stream(
  job: Job,
  partial: FileHandle,
  done: ReadonlySet<number> | undefined,
): Promise<void> {
  const { layout, names, options, plan } = job;
  const left = job.tasks.map((_, index) => index).filter((index) => done?.has(index) !== true);
  const total = plan.source.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const before = total - left.reduce((sum, i) => sum + bytesRead(job, i), 0);
  const id = await fingerprint(layout.header, job.tasks, job.inputs);
  const journal = await Journal.open(names, partial, id, done !== undefined);
  try {
    await callNative(
      (addon) =>
        addon.quantizeStream({
          inputs: job.inputs,
          output: names.partial,
          tasks: left.map((index) => job.tasks[index] as NativeTask),
          threads: job.threads,
        }),
      options.signal,
      async ({ done: read, finished }) => {
        const indices = finished.map((i) => left[i] as number);
        await journal.add(indices);
        const label = plan.tensors[indices.at(-1) ?? -1]?.name;
        options.onProgress?.({
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

function bytesRead(job: Job, index: number): number {
  return (job.tasks[index] as NativeTask).pieces.reduce((sum, piece) => sum + piece.bytes, 0);
}

/** Reads the output again: its structure by the reader of every GGUF, its values against the source's. */
async function compare(
  job: Job,
): Promise<{ readonly stats: readonly NativeErrorStats[]; readonly warnings: readonly string[] }> {
  const { layout, names, options, plan } = job;
  await readGguf(names.partial, options.signal ? { signal: options.signal } : {});
  const total = layout.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const stats = await callNative(
    (addon) =>
      addon.compareStream({
        inputs: job.inputs,
        output: names.partial,
        tasks: job.tasks,
        threads: job.threads,
      }),
    options.signal,
    ({ done }) => options.onProgress?.({ phase: "verify", done, total, unit: "bytes" }),
  );
  const findings = plan.tensors.flatMap((tensor, i) => {
    const row = stats[i] as NativeErrorStats;
    const isWeighted = plan.importance?.has(tensor.name) ?? false;
    return tensorFinding(tensor, row, values(tensor), isWeighted) ?? [];
  });
  const problem = findings.find(({ isWarning }) => !isWarning);
  if (problem !== undefined) throw problem.error;
  return { stats, warnings: findings.map(({ error }) => error.message) };
}
