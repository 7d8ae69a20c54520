import type { NativeErrorStats, NativeTask } from "../native/binding.js";
import { callNative } from "../native/call.js";
import type { LongCallOptions } from "../progress.js";
import type { ModelInfo, TensorInfo } from "../sources/model-info.js";
import { lookingTask, nativeTask } from "./tasks.js";

/**
 * One row of figures per tensor of a GGUF: against its source's tensor of that name in `sources`, or of the tensor alone
 * where there is none. A split model is looked at file by file.
 *
 * @throws NibbleError ERR_FORMAT, ERR_IO; `signal.reason` on abort.
 */
export async function compareTensors(
  model: ModelInfo,
  source: ModelInfo | undefined,
  sources: ReadonlyMap<string, TensorInfo> | undefined,
  threads: number,
  options: LongCallOptions,
  phase: string,
): Promise<NativeErrorStats[]> {
  const stats: NativeErrorStats[] = [];
  const total = model.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  let before = 0;
  for (const [file, { path }] of model.files.entries()) {
    // The tensors that are compared with a source and those that are only looked at are two jobs.
    for (const compared of [true, false]) {
      const rows = [...model.tensors.entries()].filter(
        ([, tensor]) =>
          tensor.pieces[0]?.file === file && (sources?.has(tensor.name) ?? false) === compared,
      );
      if (rows.length === 0) continue;
      const result = await callNative(
        (addon) =>
          addon.compareStream({
            inputs: compared ? (source?.files ?? []) : [],
            output: path,
            tasks: rows.map(([, tensor]) =>
              task(tensor, compared ? sources?.get(tensor.name) : undefined),
            ),
            threads,
          }),
        options.signal,
        ({ done }) => options.onProgress?.({ phase, done: before + done, total, unit: "bytes" }),
      );
      rows.forEach(([index], i) => (stats[index] = result[i] as NativeErrorStats));
      before += rows.reduce((sum, [, tensor]) => sum + tensor.bytes, 0);
    }
  }
  return stats;
}

function task(tensor: TensorInfo, source: TensorInfo | undefined): NativeTask {
  const offset = tensor.pieces[0]?.offset ?? 0;
  return source === undefined
    ? lookingTask(tensor, offset)
    : nativeTask(source, tensor.type, offset);
}
