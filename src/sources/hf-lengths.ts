import type { Fields } from "./hf-fields.js";
import type { Length } from "./hf-rules.js";

/** A length of some tensor; the error for one that config.json does not give names its field. */
export type LengthOf = (length: Length) => number;

const lengths: Readonly<Record<Length, (fields: Fields) => number>> = {
  vocabulary: (fields) => fields.need("vocabulary"),
  positions: (fields) => fields.need("context"),
  width: (fields) => fields.need("width"),
  queries: (fields) => fields.need("heads") * fields.need("headDim"),
  keys: (fields) => fields.need("keyValueHeads") * fields.need("headDim"),
  headDim: (fields) => fields.need("headDim"),
  fused: (fields) =>
    (fields.need("heads") + 2 * fields.need("keyValueHeads")) * fields.need("headDim"),
  heads: (fields) => fields.need("heads"),
  keyValueHeads: (fields) => fields.need("keyValueHeads"),
  feedForward: (fields) => fields.need("feedForward"),
  gateUp: (fields) => 2 * fields.need("feedForward"),
  experts: (fields) => fields.need("experts"),
  expertFeedForward: (fields) => fields.need("expertFeedForward"),
  expertGateUp: (fields) => 2 * fields.need("expertFeedForward"),
  sharedFeedForward: (fields) => fields.need("sharedFeedForward"),
  one: () => 1,
};

/** The lengths of a model's tensors. */
export function lengthsOf(fields: Fields): LengthOf {
  const known = new Map<Length, number>();
  return (length) => {
    const value = known.get(length) ?? lengths[length](fields);
    known.set(length, value);
    return value;
  };
}
