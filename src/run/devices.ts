import { cpus, totalmem } from "node:os";
import { machine } from "../native/load.js";

/** Something that computes. */
export interface Device {
  readonly backend: "cpu";
  /** As its maker calls it. */
  readonly name: string;
  /** The instruction set in use: the best that there are kernels for, or NIBBLE_FORCE_ISA. */
  readonly isa: string;
  /** All instruction sets that could be used, best first. */
  readonly isas: readonly string[];
  /** Cores that this process may use (affinity and cgroup). */
  readonly cores: number;
  /** Memory that this process may use, in bytes. */
  readonly memoryBytes: number;
}

/**
 * The devices of this machine.
 *
 * @throws NibbleError ERR_NATIVE_LOAD, or ERR_ARGUMENT where NIBBLE_FORCE_ISA names an instruction set that is not there.
 */
// eslint-disable-next-line @typescript-eslint/require-await -- other kinds of devices have to be asked
export async function devices(): Promise<readonly Device[]> {
  const { isa, isas, cores } = machine();
  const name = cpus()[0]?.model.trim() ?? process.arch;
  return [{ backend: "cpu", name, isa, isas, cores, memoryBytes: usableMemory() }];
}

function usableMemory(): number {
  const total = totalmem();
  // Node says 0, or a huge number, where no limit is set.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, total) : total;
}
