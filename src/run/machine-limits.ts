import type { ThreadedCallOptions } from "../progress.js";
import type { NativeMachineLimits } from "../native/binding.js";
import { settleNative, threadCount } from "../native/call.js";
import { loadAddon } from "../native/load.js";

/** What a machine can do at most, a second, all threads together: the best of several short passes. */
export interface MachineLimits {
  readonly threads: number;
  /** Read from memory, over more than any cache holds. */
  readonly readBytes: number;
  /** Copied within memory. */
  readonly copyBytes: number;
  /** Products of bytes and their sums, with the instruction set in use; an operation each. */
  readonly int8Operations: number;
  /** The same of F32. */
  readonly f32Operations: number;
}

/** By number of threads: the machine does not change while a process runs. */
const measured = new Map<number, NativeMachineLimits>();

/**
 * Measures the machine once per process and number of threads; takes a second or two and 512 MiB.
 *
 * @throws NibbleError ERR_ARGUMENT, ERR_NATIVE_LOAD; `signal.reason` on abort.
 */
export async function machineLimits(options: ThreadedCallOptions = {}): Promise<MachineLimits> {
  const threads = threadCount(options.threads);
  let limits = measured.get(threads);
  if (limits === undefined) {
    limits = await settleNative(loadAddon().measureMachine(threads), options.signal);
    measured.set(threads, limits);
  }
  return { threads, ...limits };
}
