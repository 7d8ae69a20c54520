import type { ReferenceExperts } from "./reference-config.js";
import type { Operations } from "./reference-model.js";
import { gated, sum, type Rows } from "./reference-rows.js";

/** What the experts of a layer give, token by token. */
export function mixture(operations: Operations, blk: string, x: Rows): Rows {
  const { product, config, activate } = operations;
  const experts = config.experts as ReferenceExperts;
  const shares = product(`${blk}ffn_gate_inp`, x).map((scores) => sharesOf(experts, scores));
  const out = x.map((row) => new Float64Array(row.length));
  for (let expert = 0; expert < experts.count; expert += 1) {
    const seen = [...x.keys()].filter((t) => shares[t]?.has(expert));
    const given = expertOf(
      operations,
      blk,
      expert,
      seen.map((t) => x[t] as Float64Array),
    );
    seen.forEach((t, i) => {
      const share = shares[t]?.get(expert) ?? NaN;
      out[t] = (out[t] ?? new Float64Array()).map(
        (value, j) => value + share * (given[i]?.[j] ?? NaN),
      );
    });
  }
  if (experts.sharedWidth === undefined) return out;
  const gates = product(`${blk}ffn_gate_inp_shexp`, x);
  const hidden = gated(
    product(`${blk}ffn_gate_shexp`, x),
    product(`${blk}ffn_up_shexp`, x),
    activate,
  );
  const shared = product(`${blk}ffn_down_shexp`, hidden).map((row, t) =>
    row.map((value) => value / (1 + Math.exp(-(gates[t]?.[0] ?? NaN)))),
  );
  return sum(out, shared);
}

function expertOf(
  { expertProduct, config, activate }: Operations,
  blk: string,
  expert: number,
  x: Rows,
): Rows {
  const { count } = config.experts as ReferenceExperts;
  if (x.length === 0) return [];
  const by = (name: string, rows: Rows) =>
    expertProduct(`${blk}ffn_${name}_exps`, expert, rows, count);
  return by("down", gated(by("gate", x), by("up", x), activate));
}

/** The most probable experts, and how much each counts. */
function sharesOf(
  { used, sumToOne }: ReferenceExperts,
  scores: Float64Array,
): ReadonlyMap<number, number> {
  const powers = scores.map((score) => Math.exp(score));
  const total = powers.reduce((a, b) => a + b, 0);
  const order = [...scores.keys()].sort((a, b) => (scores[b] ?? NaN) - (scores[a] ?? NaN));
  const chosen = order.slice(0, used);
  const all = sumToOne ? chosen.reduce((rest, e) => rest + (powers[e] ?? NaN), 0) : total;
  return new Map(chosen.map((e) => [e, (powers[e] ?? NaN) / all]));
}
