import { basename } from "node:path";
import { readImportanceMatrix } from "../imatrix/file.js";
import type { ImportanceMatrix } from "../imatrix/types.js";
import { openSource } from "../sources/open.js";
import { makePlan, type PlanOptions } from "./plan.js";
import type { QuantizePlan } from "./types.js";

export interface PlanSourceOptions extends Omit<PlanOptions, "imatrix"> {
  /** An importance matrix, or the path of its file (GGUF or .dat). */
  readonly imatrix?: ImportanceMatrix | string | undefined;
  /** Name of the pre-tokenizer, where that of a Hugging Face directory is not recognised. */
  readonly pre?: string | undefined;
  /** Directory of the base model, for a PEFT directory (a LoRA adapter) that names none on this machine. */
  readonly base?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The plan for a Hugging Face directory or a GGUF: what `quantize` would write, without reading any weights.
 *
 * @throws NibbleError as `inspect` (ERR_FORMAT, ERR_UNSUPPORTED, ERR_IO) and `makePlan` do; `signal.reason` on abort.
 */
export async function plan(source: string, options: PlanSourceOptions): Promise<QuantizePlan> {
  const { pre, base, signal, imatrix, ...rest } = options;
  signal?.throwIfAborted();
  const model = await openSource(source, {
    ...(signal !== undefined && { signal }),
    ...(pre !== undefined && { pre }),
    ...(base !== undefined && { base }),
  });
  return makePlan(model, { ...rest, ...(await readImportance(imatrix, signal)) });
}

/** The matrix, and what it is called. */
async function readImportance(
  imatrix: ImportanceMatrix | string | undefined,
  signal: AbortSignal | undefined,
): Promise<Pick<PlanOptions, "imatrix" | "imatrixName">> {
  if (typeof imatrix !== "string") return { imatrix };
  const matrix = await readImportanceMatrix(imatrix, { signal });
  return { imatrix: matrix, imatrixName: basename(imatrix) };
}
