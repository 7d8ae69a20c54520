import type { LongCallOptions } from "../progress.js";

const millisecondsBetween = 100;

/** Reports bytes as they are done: at most ten times a second, and when all `total` of them are. */
export function byteProgress(
  phase: string,
  total: number,
  { onProgress }: LongCallOptions,
): (bytes: number, label: string) => void {
  let done = 0;
  let last = -Infinity;
  return (bytes, label) => {
    done += bytes;
    const now = performance.now();
    if (onProgress === undefined || (done < total && now - last < millisecondsBetween)) return;
    last = now;
    onProgress({ phase, done, total, unit: "bytes", label });
  };
}
