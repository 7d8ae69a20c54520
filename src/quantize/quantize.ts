import { argumentError } from "../errors.js";
import type { FormatName } from "../formats.js";
import type { NativeErrorStats } from "../native/binding.js";
import { threadCount } from "../native/call.js";
import { machine } from "../native/load.js";
import type { ImportanceCoverage } from "../plan/importance-coverage.js";
import { plan as planSource, type PlanSourceOptions } from "../plan/plan-source.js";
import { summarizePlan } from "../plan/plan.js";
import type { PlannedTensor, QuantizePlan } from "../plan/types.js";
import type { ThreadedCallOptions } from "../progress.js";
import {
  checkFreeSpace,
  checkOutput,
  discardPartial,
  openPartial,
  outputNames,
  publish,
  type OutputNames,
} from "./output-file.js";
import { outputParts } from "./output-parts.js";
import {
  bytesToRead,
  comparePart,
  resumable,
  writePart,
  type Comparison,
  type JobContext,
  type PartJob,
} from "./quantize-part.js";
import { nativeTask } from "./tasks.js";
import { tensorError, type TensorError } from "./tensor-errors.js";

/** How the values are rounded. `reference` gives the bytes of llama-quantize. */
export type QuantizeMethod = "reference";
export const quantizeMethods: readonly QuantizeMethod[] = ["reference"];

export interface WriteOptions extends ThreadedCallOptions {
  /** Path of the GGUF to write; of a split output, its prefix, with or without `.gguf`. */
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

/** A file of a split output. */
export interface QuantizedPart {
  readonly path: string;
  /** Of the file. */
  readonly bytes: number;
  readonly tensors: number;
}

export interface QuantizeReport {
  /** The file that was written, the first where there are several. */
  readonly output: string;
  /** All files, where the output is split. */
  readonly parts?: readonly QuantizedPart[];
  readonly recipe: string;
  readonly method: QuantizeMethod;
  /** Bytes of the output's files, and of the source's tensors. */
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
  /** What the importance matrix, if there was one, knew of the tensors that were quantized. */
  readonly importanceCoverage?: ImportanceCoverage;
  readonly warnings: readonly string[];
}

/** A job with everything decided: the files that are written, and what they share. */
interface Job extends JobContext {
  readonly plan: QuantizePlan;
  readonly parts: readonly PartJob[];
  readonly options: WriteOptions;
}

/**
 * Quantizes a model to a GGUF that every llama.cpp loads: source rows are read, quantized and written tile by tile, at
 * constant memory, then the output is read again, compared with the source, synced and given its name.
 *
 * `source` is a Hugging Face directory, a GGUF, or a plan of `plan()`. The files of a split output get their names when all
 * are whole and verified. An abort leaves what `resume` can use; any other
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
  const names = job.parts.map((part) => part.names);
  for (const each of names) await checkOutput(each, job.inputs, options.overwrite ?? false);
  const done: (ReadonlySet<number> | undefined)[] = [];
  if (options.resume === true) {
    for (const part of job.parts) done.push(await resumable(part, job));
  }
  const total = job.parts.reduce((sum, { layout }) => sum + layout.totalBytes, 0);
  await checkFreeSpace(names, total);
  const began: OutputNames[] = [];
  try {
    return await write(job, done, began);
  } catch (error) {
    if (signal?.aborted !== true) for (const each of began) await discardPartial(each);
    throw error;
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
  // It is not enumerable, so that JSON and copies of a plan lack it.
  if ((plan.importanceCoverage?.covered ?? 0) !== (plan.importance?.size ?? 0)) {
    throw argumentError("source", "a plan as plan() gave it, with its importance", "a copy of it");
  }
  const sources = new Map(plan.source.tensors.map((tensor) => [tensor.name, tensor]));
  const parts = outputParts(plan, options.output).map((part) => ({
    ...part,
    names: outputNames(part.path),
    tasks: part.tensors.map((planned, i) => {
      const source = sources.get(planned.name);
      const place = part.layout.tensors[i];
      if (source === undefined || place === undefined) {
        throw argumentError("source", "a plan whose tensors are its source's", planned.name);
      }
      return nativeTask(source, planned.to, place.offset, plan.importance?.get(planned.name));
    }),
  }));
  return {
    ...{ plan, parts, options, importance: plan.importance },
    inputs: plan.source.files,
    threads: threadCount(options.threads),
    signal: options.signal,
    onProgress: options.onProgress,
  };
}

/** Writes, verifies and names all files. Those that were begun are added to `began`. */
async function write(
  job: Job,
  done: readonly (ReadonlySet<number> | undefined)[],
  began: OutputNames[],
): Promise<QuantizeReport> {
  const { plan, parts, options } = job;
  const start = performance.now();
  await writeParts(job, done, began);
  const seconds = (performance.now() - start) / 1000;
  const verifies = options.verify ?? true;
  const compared = verifies ? await compareParts(job) : undefined;
  const verifySeconds = (performance.now() - start) / 1000 - seconds;
  options.signal?.throwIfAborted();
  await publish(began, options.overwrite ?? false);
  const { bitsPerWeight } = summarizePlan(plan);
  const files = parts.map(({ path, layout, tensors }) => ({
    path,
    bytes: layout.totalBytes,
    tensors: tensors.length,
  }));
  return {
    output: files[0]?.path ?? options.output,
    ...(files.length > 1 && { parts: files }),
    recipe: plan.recipe,
    method: options.method ?? "reference",
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    sourceBytes: plan.source.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
    bitsPerWeight,
    seconds,
    verifySeconds,
    threads: job.threads,
    isa: machine().isa,
    resumedTensors: done.reduce((sum, indices) => sum + (indices?.size ?? 0), 0),
    verified: verifies,
    overwritten: options.overwrite ?? false,
    tensors: plan.tensors.map((tensor, i) => quantizedTensor(tensor, compared?.stats[i])),
    ...(plan.importanceCoverage && { importanceCoverage: plan.importanceCoverage }),
    warnings: [...plan.warnings, ...(compared?.warnings ?? [])],
  };
}

function quantizedTensor(
  tensor: PlannedTensor,
  stats: NativeErrorStats | undefined,
): QuantizedTensor {
  const { name, from, to, bytes, reason, shape } = tensor;
  const values = shape.reduce((product, n) => product * n, 1);
  return { name, from, to, bytes, reason, ...(stats && tensorError(stats, values)) };
}

async function writeParts(
  job: Job,
  done: readonly (ReadonlySet<number> | undefined)[],
  began: OutputNames[],
): Promise<void> {
  const total = job.plan.source.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const left = job.parts.map((part, i) => bytesToRead(part, done[i]));
  let before = total - left.reduce((sum, bytes) => sum + bytes, 0);
  for (const [i, part] of job.parts.entries()) {
    const { names, layout } = part;
    const resumes = done[i] !== undefined;
    const partial = await openPartial(names, layout.header, layout.totalBytes, resumes);
    began.push(names);
    try {
      await writePart(part, job, partial, done[i], { total, before });
    } finally {
      await partial.close();
    }
    before += left[i] ?? 0;
  }
}

/** Figures of all tensors, in the order of the plan. */
async function compareParts(job: Job): Promise<Comparison> {
  const total = job.plan.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const stats: NativeErrorStats[] = [];
  const warnings: string[] = [];
  let before = 0;
  for (const part of job.parts) {
    const compared = await comparePart(part, job, { total, before });
    stats.push(...compared.stats);
    warnings.push(...compared.warnings);
    before += part.tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  }
  return { stats, warnings };
}
