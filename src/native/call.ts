import { argumentError } from "../errors.js";
import type { Addon, NativeJob, NativeProgress } from "./binding.js";
import { fromNative, loadAddon, machine } from "./load.js";

/** How often a running job is asked how far it is: ten times a second, so that a progress bar looks alive. */
const pollMilliseconds = 100;

/**
 * Runs a job of the addon as a promise. `onProgress` is called ten times a second and once at the end, on the JS thread.
 * When `signal` aborts, the job is cancelled, and when nothing of it runs any more `signal.reason` is thrown.
 *
 * @throws what the job failed with, as a NibbleError.
 */
export async function callNative<T>(
  start: (addon: Addon) => NativeJob<T>,
  signal: AbortSignal | undefined,
  onProgress: (progress: NativeProgress) => void | Promise<void>,
): Promise<T> {
  const { stack } = new Error();
  signal?.throwIfAborted();
  let job: NativeJob<T>;
  try {
    job = start(loadAddon());
  } catch (error) {
    throw fromNative(error, stack);
  }
  const cancel = () => job.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await settle(job, onProgress);
  } catch (error) {
    // The job may have failed for a reason of its own just before; the caller's wish comes first.
    signal?.throwIfAborted();
    throw fromNative(error, stack);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/**
 * As `callNative`, for jobs that come one after the other so fast that nobody asks how far they are.
 *
 * @throws what the job failed with, as a NibbleError; `signal.reason` on abort.
 */
export async function settleNative<T>(
  job: NativeJob<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const cancel = () => job.cancel();
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    const result = await job.promise;
    // Jobs look at the wish to stop now and then, and the short ones not at all.
    signal?.throwIfAborted();
    return result;
  } catch (error) {
    signal?.throwIfAborted();
    throw fromNative(error, undefined);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/** Waits for the job, reporting meanwhile; an error of the reporter cancels the job first. */
async function settle<T>(
  job: NativeJob<T>,
  onProgress: (progress: NativeProgress) => void | Promise<void>,
): Promise<T> {
  const ended = job.promise.then(
    () => true,
    () => true,
  );
  const paused = () => sleep(pollMilliseconds).then(() => false);
  try {
    for (let over = false; !over;) {
      over = await Promise.race([ended, paused()]);
      await onProgress(job.progress());
    }
  } catch (error) {
    job.cancel();
    await ended;
    throw error;
  }
  return job.promise;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}

/**
 * The number of compute threads: what the caller asks for, or all cores that the process may use; never more than those.
 *
 * @throws NibbleError ERR_ARGUMENT for anything but a positive integer.
 */
export function threadCount(threads: number | undefined): number {
  const { cores } = machine();
  if (threads === undefined) return cores;
  if (!Number.isSafeInteger(threads) || threads < 1)
    throw argumentError("threads", "an integer of at least 1", threads);
  return Math.min(threads, cores);
}
