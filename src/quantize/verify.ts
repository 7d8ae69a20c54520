import { argumentError } from "../errors.js";
import { format, type FormatName } from "../formats.js";
import type { NativeErrorStats } from "../native/binding.js";
import { threadCount } from "../native/call.js";
import { hasImportanceMetadata } from "../plan/column-importance.js";
import type { ThreadedCallOptions } from "../progress.js";
import { readType, type ModelInfo, type TensorInfo } from "../sources/model-info.js";
import { openSource } from "../sources/open.js";
import { compareTensors } from "./compare-tensors.js";
import { hashTensors } from "./hash-tensors.js";
import { tensorError, tensorFinding, type TensorError } from "./tensor-errors.js";

export interface VerifyOptions extends ThreadedCallOptions {
  /** The model that this one was made from: adds the error per tensor. */
  readonly against?: string;
  /** Name of the pre-tokenizer of `against`, where that of a Hugging Face directory is not recognised. */
  readonly pre?: string;
}

/** What a look at one tensor gives; the errors are there with `against`, for types that have a codec. */
export interface VerifiedTensor extends Partial<TensorError> {
  readonly name: string;
  readonly type: FormatName;
  /** GGUF order: shape[0] values in a row. */
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Of the tensor's bytes, in hexadecimal. */
  readonly sha256: string;
  /** Whether the values were looked at: false for types whose blocks Nibble cannot decode. */
  readonly checked: boolean;
  /** Values that are NaN or infinite. */
  readonly nonFinite: number;
  /** Blocks with a field that no quantizer writes. */
  readonly invalidBlocks: number;
}

export interface VerifyReport {
  readonly path: string;
  readonly bytes: number;
  readonly tensors: readonly VerifiedTensor[];
  /** What is wrong, a sentence each; empty if all is well. */
  readonly problems: readonly string[];
  /** What is as it has to be but serves nobody: a tensor whose type does worse than zeros would. */
  readonly warnings: readonly string[];
  /** Whether there are no problems. */
  readonly ok: boolean;
}

/**
 * Looks at a whole GGUF: its structure (an error that stops), whether every value is finite and every block valid, the
 * sha256 of every tensor, and with `against` how far every tensor is from its source (problems, which are listed).
 *
 * @throws NibbleError ERR_FORMAT, ERR_ARGUMENT, ERR_IO; `signal.reason` on abort.
 */
export async function verify(path: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { signal, against, pre } = options;
  signal?.throwIfAborted();
  const threads = threadCount(options.threads);
  const model = await openSource(path, signal ? { signal } : {});
  if (model.container !== "gguf") throw argumentError("model", "a GGUF file", path);
  const source =
    against === undefined
      ? undefined
      : await openSource(against, { ...(signal && { signal }), ...(pre !== undefined && { pre }) });
  const problems: string[] = [];
  const warnings: string[] = [];
  const sources = source === undefined ? undefined : matchTensors(model, source, problems);
  const stats = await compareTensors(model, source, sources, threads, options, "verify");
  const sums = await hashTensors(model, options);
  const isWeighted = hasImportanceMetadata(model.metadata);
  const tensors = model.tensors.map((tensor, i) => {
    const row = stats[i] as NativeErrorStats;
    const from = sources?.get(tensor.name);
    const types = {
      name: tensor.name,
      from: from === undefined ? tensor.type : readType(from),
      to: tensor.type,
    };
    const finding = tensorFinding(types, row, values(tensor), isWeighted);
    if (finding !== undefined)
      (finding.isWarning ? warnings : problems).push(finding.error.message);
    return verifiedTensor(tensor, sums[i] as string, row, from);
  });
  const bytes = model.files.reduce((sum, file) => sum + file.bytes, 0);
  return { path, bytes, tensors, problems, warnings, ok: problems.length === 0 };
}

/** The source's tensors that can be compared, by name; what is missing or has another shape is a problem. */
function matchTensors(
  model: ModelInfo,
  source: ModelInfo,
  problems: string[],
): Map<string, TensorInfo> {
  const left = new Map(source.tensors.map((tensor) => [tensor.name, tensor]));
  const matched = new Map<string, TensorInfo>();
  for (const { name, shape, type } of model.tensors) {
    const from = left.get(name);
    left.delete(name);
    if (from === undefined) {
      problems.push(`${name}: ${source.path} has no tensor of that name`);
    } else if (from.shape.join() !== shape.join()) {
      problems.push(
        `${name}: its shape is ${shape.join(" x ")}, the source's is ${from.shape.join(" x ")}`,
      );
    } else if (format(type).codec && format(from.type).codec) {
      matched.set(name, from);
    }
  }
  for (const name of left.keys())
    problems.push(`${name}: it is in ${source.path} but not in ${model.path}`);
  return matched;
}

function verifiedTensor(
  tensor: TensorInfo,
  sha256: string,
  stats: NativeErrorStats,
  source: TensorInfo | undefined,
): VerifiedTensor {
  const { name, type, shape, bytes } = tensor;
  return {
    name,
    type,
    shape,
    bytes,
    sha256,
    checked: format(type).codec,
    nonFinite: stats.nonFinite,
    invalidBlocks: stats.invalidBlocks,
    ...(source !== undefined && tensorError(stats, values(tensor))),
  };
}

function values({ shape }: TensorInfo): number {
  return shape.reduce((product, n) => product * n, 1);
}
