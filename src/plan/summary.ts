import type { FormatName } from "../formats.js";
import type { QuantizePlan } from "./types.js";

/** Tensors of one type in a plan's output. */
export interface TypeSummary {
  readonly type: FormatName;
  readonly tensors: number;
  readonly bytes: number;
}

export interface PlanSummary {
  /** Most bytes first. */
  readonly types: readonly TypeSummary[];
  readonly tensors: number;
  /** Values in all tensors: the parameters of the model. */
  readonly values: number;
  /** Bytes of the tensors, without header and padding: of the source and of the output. */
  readonly sourceBytes: number;
  readonly bytes: number;
  /** Bits of the output's tensors per value; 0 for a model without tensors. */
  readonly bitsPerWeight: number;
}

/** What a plan amounts to. */
export function summarizePlan({ source, tensors }: QuantizePlan): PlanSummary {
  const types = new Map<FormatName, TypeSummary>();
  let values = 0;
  let bytes = 0;
  for (const tensor of tensors) {
    values += tensor.shape.reduce((product, length) => product * length, 1);
    bytes += tensor.bytes;
    const row = types.get(tensor.to) ?? { type: tensor.to, tensors: 0, bytes: 0 };
    types.set(tensor.to, { ...row, tensors: row.tensors + 1, bytes: row.bytes + tensor.bytes });
  }
  return {
    types: [...types.values()].sort((a, b) => b.bytes - a.bytes),
    tensors: tensors.length,
    values,
    sourceBytes: source.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
    bytes,
    bitsPerWeight: values > 0 ? (bytes * 8) / values : 0,
  };
}
