import type { ReferenceConfig } from "./reference-config.js";
import type { Operations } from "./reference-model.js";
import type { Rows } from "./reference-rows.js";
import type { Turn } from "./reference-rope.js";

/** What holds in one layer. */
export interface LayerAttention {
  /** Of the names of its tensors. */
  readonly blk: string;
  readonly window?: number | undefined;
  readonly turn: Turn;
  readonly cached?: ((value: number) => number) | undefined;
}

/** What attention gives for the normed stream, output matrix and all. */
export function attention(operations: Operations, layer: LayerAttention, x: Rows): Rows {
  const { config, product } = operations;
  const { heads, kvHeads, headDim } = config;
  const { blk, turn, cached = (value: number) => value } = layer;
  const [queries, keys] = [heads * headDim, kvHeads * headDim];
  const begins = { q: 0, k: queries, v: queries + keys };
  const project = (name: "q" | "k" | "v", count: number) =>
    config.fusedQkv
      ? product(`${blk}attn_qkv`, x, { first: begins[name], count: count * headDim })
      : product(`${blk}attn_${name}`, x);
  const turned = (name: "q" | "k", count: number) =>
    normedHeads(operations, `${blk}attn_${name}_norm`, project(name, count)).map(
      (heads, position) => heads.map((head) => turn(head, position)),
    );
  const q = turned("q", heads);
  const k = turned("k", kvHeads).map((parts) => parts.map((head) => head.map(cached)));
  const v = project("v", kvHeads).map((row) => cut(row.map(cached), headDim));
  return product(`${blk}attn_output`, attended({ ...config, window: layer.window }, q, k, v));
}

/** [token][head] */
function normedHeads({ config, norm }: Operations, name: string, rows: Rows): readonly Rows[] {
  const { queryNorms, headDim } = config;
  const whole = queryNorms === "row" ? norm(name, rows) : rows;
  const heads = whole.map((row) => cut(row, headDim));
  const isEach = queryNorms === "head" || queryNorms === "own rows";
  return isEach ? heads.map((parts) => norm(name, parts)) : heads;
}

function cut(row: Float64Array, length: number): Rows {
  return Array.from({ length: row.length / length }, (_, i) =>
    row.slice(i * length, (i + 1) * length),
  );
}

/** [token][head] of each. */
function attended(
  config: Omit<ReferenceConfig, "window"> & { readonly window: number | undefined },
  q: readonly Rows[],
  k: readonly Rows[],
  v: readonly Rows[],
): Rows {
  const { heads, kvHeads, headDim, width, window = Infinity, attentionCap: cap } = config;
  const { attentionScale, attentionByWidth } = config;
  const scale = attentionScale ?? 1 / Math.sqrt(attentionByWidth ? width / heads : headDim);
  const capped = (score: number) => (cap ? cap * Math.tanh(score / cap) : score);
  return q.map((queries, t) => {
    const out = new Float64Array(heads * headDim);
    queries.forEach((query, head) => {
      const kv = Math.floor((head * kvHeads) / heads);
      const seen = k.flatMap((_, s) => (s <= t && t - s < window ? [s] : []));
      const scores = seen.map((s) => capped(scale * dot(query, k[s]?.[kv] as Float64Array)));
      const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
      const powers = scores.map((score) => Math.exp(score - largest));
      const total = powers.reduce((a, b) => a + b, 0);
      seen.forEach((s, i) => {
        const value = v[s]?.[kv] as Float64Array;
        const weight = (powers[i] as number) / total;
        for (let j = 0; j < headDim; j += 1) {
          (out[head * headDim + j] as number) += weight * (value[j] as number);
        }
      });
    });
    return out;
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i += 1) total += (a[i] as number) * (b[i] as number);
  return total;
}
