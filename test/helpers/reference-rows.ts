/** One row per token. */
export type Rows = readonly Float64Array[];

export function sum(a: Rows, b: Rows): Rows {
  return a.map((row, t) => row.map((value, i) => value + (b[t]?.[i] ?? NaN)));
}

export function scaled(x: Rows, factor: number): Rows {
  return x.map((row) => row.map((value) => value * factor));
}

/** activate(gate) * up */
export function gated(gate: Rows, up: Rows, activate: (value: number) => number): Rows {
  return gate.map((row, t) => row.map((value, i) => activate(value) * (up[t]?.[i] ?? NaN)));
}
