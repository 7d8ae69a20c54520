import { argumentError } from "../errors.js";
import type { LongCallOptions } from "../progress.js";
import type { ModelInfo, TensorInfo } from "../sources/model-info.js";
import { openSource } from "../sources/open.js";
import { partPath, splitKeys, splitMetadata } from "../sources/split-gguf.js";
import { byteProgress } from "./byte-progress.js";
import { checkOutputs, layoutOf, writeGgufs, type GgufContent } from "./write-gguf.js";

/** Upstream's default. */
const defaultMaxTensors = 128;
/** `split.count` is a u16. */
const maxParts = 65535;

export interface SplitOptions extends LongCallOptions {
  /** Path of the parts without their ending: `<prefix>-00001-of-00003.gguf`. */
  readonly prefix: string;
  /** Most bytes of tensors (padded) in a part; a tensor that is larger gets a part of its own. */
  readonly maxBytes?: number | undefined;
  /** Most tensors in a part: 128 by default, where `maxBytes` is not given. */
  readonly maxTensors?: number | undefined;
  /** Replace files that are there. Default false. */
  readonly overwrite?: boolean | undefined;
  /** Write nothing; the report tells what would be written. Default false. */
  readonly dryRun?: boolean | undefined;
}

export interface SplitPart {
  readonly path: string;
  /** Of the file. */
  readonly bytes: number;
  readonly tensors: number;
}

export interface SplitReport {
  readonly parts: readonly SplitPart[];
  /** Of all files. */
  readonly bytes: number;
  readonly written: boolean;
}

/**
 * Splits a GGUF into parts that llama.cpp loads: the first has the metadata, every one some tensors, in their order. The
 * model itself stays as it is. The parts get their names when all of them are whole: where one cannot be written, none is
 * left, and what `overwrite` would have replaced stays.
 *
 * @throws NibbleError ERR_ARGUMENT for both or senseless limits, a part that exists (without `overwrite`) or that the
 * model consists of; ERR_FORMAT, ERR_UNSUPPORTED, ERR_IO; `signal.reason` on abort.
 */
export async function splitModel(path: string, options: SplitOptions): Promise<SplitReport> {
  const { signal, overwrite = false, dryRun = false } = options;
  checkLimits(options);
  const model = await openSource(path, { signal });
  if (model.container !== "gguf") throw argumentError("model", "a GGUF file", path);
  if (model.tensors.length === 0) throw argumentError("model", "a GGUF with tensors", path);
  const contents = partContents(model, options);
  const parts = contents.map((content) => ({
    path: content.path,
    bytes: layoutOf(content).totalBytes,
    tensors: content.tensors.length,
  }));
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  if (!dryRun) {
    await checkOutputs(
      parts.map((part) => part.path),
      model,
      bytes,
      overwrite,
    );
    await writeParts(contents, model, options);
  }
  return { parts, bytes, written: !dryRun };
}

function checkLimits({ prefix, maxBytes, maxTensors }: SplitOptions): void {
  if (prefix === "") throw argumentError("prefix", "the path of the parts to write", prefix);
  if (maxBytes !== undefined && maxTensors !== undefined) {
    throw argumentError("maxTensors", "only one of the two limits, size or tensors", maxTensors);
  }
  for (const [option, value] of Object.entries({ maxBytes, maxTensors })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw argumentError(option, "a positive integer", value);
  }
}

function partContents(model: ModelInfo, options: SplitOptions): readonly GgufContent[] {
  const groups = groupTensors(model.tensors, options);
  const count = groups.length;
  if (count > maxParts) {
    throw argumentError("split", `limits that give at most ${maxParts} parts`, count);
  }
  const own = model.metadata.filter(({ key }) => !splitKeys.has(key));
  return groups.map((tensors, i) => ({
    path: partPath(options.prefix, i + 1, count),
    metadata: [...(i === 0 ? own : []), ...splitMetadata(i + 1, count, model.tensors.length)],
    tensors,
  }));
}

/** Alignment of the parts without metadata, by which upstream counts the sizes in all of them. */
const partAlignment = 32;

/** Tensors one after the other, a new part where the next one would exceed the limit. */
function groupTensors(
  tensors: readonly TensorInfo[],
  { maxBytes, maxTensors }: SplitOptions,
): readonly (readonly TensorInfo[])[] {
  const mostTensors = maxTensors ?? (maxBytes === undefined ? defaultMaxTensors : Infinity);
  const mostBytes = maxBytes ?? Infinity;
  const groups: TensorInfo[][] = [];
  let group: TensorInfo[] = [];
  let filled = 0;
  for (const tensor of tensors) {
    const bytes = Math.ceil(tensor.bytes / partAlignment) * partAlignment;
    if (groups.length === 0 || group.length >= mostTensors || filled + bytes > mostBytes) {
      group = [];
      groups.push(group);
      filled = 0;
    }
    group.push(tensor);
    filled += bytes;
  }
  return groups;
}

async function writeParts(
  contents: readonly GgufContent[],
  model: ModelInfo,
  options: SplitOptions,
): Promise<void> {
  const total = model.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const { signal, overwrite = false } = options;
  const onBytes = byteProgress("split", total, options);
  await writeGgufs(contents, model, { overwrite, signal, onBytes });
}
