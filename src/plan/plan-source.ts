import { openSource } from "../sources/open.js";
import { makePlan, type PlanOptions } from "./plan.js";
import type { QuantizePlan } from "./types.js";

export interface PlanSourceOptions extends PlanOptions {
  /** Name of the pre-tokenizer, where that of a Hugging Face directory is not recognised. */
  readonly pre?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The plan for a Hugging Face directory or a GGUF: what `quantize` would write, without reading any weights.
 *
 * @throws NibbleError as `inspect` (ERR_FORMAT, ERR_UNSUPPORTED, ERR_IO) and `makePlan` do; `signal.reason` on abort.
 */
export async function plan(source: string, options: PlanSourceOptions): Promise<QuantizePlan> {
  const { pre, signal } = options;
  signal?.throwIfAborted();
  const model = await openSource(source, {
    ...(signal !== undefined && { signal }),
    ...(pre !== undefined && { pre }),
  });
  return makePlan(model, options);
}
