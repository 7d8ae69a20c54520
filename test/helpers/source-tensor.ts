import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesOf, type FormatName } from "../../src/formats.js";
import type { NativeErrorStats } from "../../src/native/binding.js";
import { callNative } from "../../src/native/call.js";
import { nativeTask } from "../../src/quantize/tasks.js";
import type { SourceFile, TensorInfo } from "../../src/sources/model-info.js";

let made = 0;

/** A tensor's bytes as the output would have them, and what comparing the two gives. */
export async function writtenTensor(
  files: readonly SourceFile[],
  tensor: TensorInfo,
  to: FormatName = "F32",
  importance?: Float32Array,
): Promise<{ readonly bytes: Buffer; readonly stats: NativeErrorStats }> {
  const [perRow = 1, ...others] = tensor.shape;
  const rows = others.reduce((product, n) => product * n, 1);
  const output = join(tmpdir(), `nibble-tensor-${process.pid}-${(made += 1)}`);
  writeFileSync(output, Buffer.alloc(bytesOf(to, perRow, rows)));
  const tasks = [nativeTask(tensor, to, 0, importance)];
  const options = { inputs: files, output, tasks, threads: 2 };
  try {
    await callNative(
      (addon) => addon.quantizeStream(options),
      undefined,
      () => undefined,
    );
    const [stats] = await callNative(
      (addon) => addon.compareStream(options),
      undefined,
      () => undefined,
    );
    return { bytes: readFileSync(output), stats: stats as NativeErrorStats };
  } finally {
    rmSync(output);
  }
}

/** A tensor's values in F32. */
export async function readValues(
  files: readonly SourceFile[],
  tensor: TensorInfo,
): Promise<Float32Array> {
  const { bytes } = await writtenTensor(files, tensor);
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
