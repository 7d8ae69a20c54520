import type { FieldName } from "./hf-fields.js";

/** Lengths of tensors that a config.json gives, by what they are. */
export type Length =
  | "vocabulary"
  | "positions"
  | "width"
  /** Rows of all query heads, of all key heads, of one head. */
  | "queries"
  | "keys"
  | "headDim"
  /** Queries, keys and values in one. */
  | "fused"
  | "heads"
  | "keyValueHeads"
  | "feedForward"
  /** Gate and up in one. */
  | "gateUp"
  | "experts"
  | "expertFeedForward"
  | "expertGateUp"
  | "sharedFeedForward"
  | "one";

/** What happens to a weight on its way to GGUF, besides its name. */
export type Change =
  /** Rows of rotated heads: from halves to interleaved pairs. */
  | "interleave"
  /** Stored as [in, out]. */
  | "transpose"
  /** Norms that are stored as what is added to one. */
  | "add-one"
  /** Per group of heads its queries, its key and its value; GGUF has all queries, all keys, all values. */
  | "ungroup"
  /** Per expert its gate and its up: two tensors. */
  | "split-halves";

/** Fields of the configuration and the values that they must have. */
export type Condition = Readonly<Partial<Record<FieldName, number | boolean>>>;

/** What becomes of one tensor of a Hugging Face model, or of several that are stacked. */
export interface TensorRule {
  /** Hugging Face's name without the family's prefix; `{n}` is the layer, `{i}` the place in the stack. */
  readonly from: string;
  /** GGUF's names: two where the tensor is split. */
  readonly to: readonly string[];
  /** Hugging Face's order, [out, in]. */
  readonly shape: readonly Length[];
  /** How many are stacked: the slowest dimension of the result. */
  readonly stack?: Length;
  readonly change?: Change;
  /** The model has the tensor where this holds. */
  readonly when?: Condition;
  /** It may be absent. */
  readonly optional?: boolean;
}

type Options = Pick<TensorRule, "stack" | "change" | "when" | "optional">;

interface LinearOptions extends Options {
  /** When the bias is there: always, or by the configuration. */
  readonly bias?: Condition | "always";
}

/** A weight [out, in], and its bias [out] where there is one. */
export function linear(
  from: string,
  to: string,
  [out, into]: readonly [Length, Length],
  { bias, ...options }: LinearOptions = {},
): readonly TensorRule[] {
  const weight = {
    from: `${from}.weight`,
    to: [`${to}.weight`],
    shape: options.change === "transpose" ? [into, out] : [out, into],
    ...options,
  };
  if (bias === undefined) return [weight];
  // A bias has one value per output: nothing to transpose.
  const change = options.change === "transpose" ? undefined : options.change;
  const when = { ...options.when, ...(bias === "always" ? {} : bias) };
  return [
    weight,
    {
      from: `${from}.bias`,
      to: [`${to}.bias`],
      shape: [out],
      ...(change !== undefined && { change }),
      when,
    },
  ];
}

/** The weight of a norm, and its bias. */
export function norm(
  from: string,
  to: string,
  length: Length = "width",
  { bias = false, ...options }: Options & { readonly bias?: boolean } = {},
): readonly TensorRule[] {
  const rule = (part: string): TensorRule => ({
    from: `${from}.${part}`,
    to: [`${to}.${part}`],
    shape: [length],
    ...options,
  });
  return bias ? [rule("weight"), rule("bias")] : [rule("weight")];
}

/** Rules of a layer: `from` below the folder of the layers, `to` below GGUF's. */
export function inLayers(folder: string, ...groups: readonly (readonly TensorRule[])[]) {
  return groups.flat().map((rule) => ({
    ...rule,
    from: `${folder}.{n}.${rule.from}`,
    to: rule.to.map((name) => `blk.{n}.${name}`),
  }));
}

/** The matrix of logits; a model whose embedding serves as it need not have one. */
export function head(from = "lm_head"): readonly TensorRule[] {
  return linear(from, "output", ["vocabulary", "width"], { optional: true });
}
