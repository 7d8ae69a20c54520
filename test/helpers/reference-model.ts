/**
 * A second implementation of the models that the native engine runs: plain loops in double precision, written from the
 * definition of the architectures, and nothing else in mind than being right.
 */
import { attention } from "./reference-attention.js";
import type { ReferenceConfig } from "./reference-config.js";
import { mixture } from "./reference-experts.js";
import { gated, scaled, sum, type Rows } from "./reference-rows.js";
import { rotation } from "./reference-rope.js";

export interface ReferenceModel {
  readonly config: ReferenceConfig;
  /** Names of GGUF; row after row. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

export interface ReferenceRun {
  readonly logits: Rows;
  /** The residual stream after every layer. */
  readonly streams: readonly Rows[];
  /** What went into every matrix, by its name; of an expert with "#" and its number behind. */
  readonly inputs: ReadonlyMap<string, Rows>;
}

/** What an engine rounds on purpose: with the same done here, what is left is its arithmetic. */
export interface Rounding {
  /** A value of keys and values, as the cache holds it. */
  readonly cached?: (value: number) => number;
  /** A row that goes into the matrix of that name. */
  readonly input?: (row: Float64Array, name: string) => Float64Array;
}

/** A matrix of the model: all rows of a tensor, or some. */
export interface Part {
  readonly first: number;
  readonly count: number;
}

/** The operations that the parts of a model are made of. */
export interface Operations {
  readonly config: ReferenceConfig;
  /** Times the weight of that name (without ".weight"), plus its bias where there is one. */
  readonly product: (name: string, x: Rows, part?: Part) => Rows;
  /** The same by an expert's matrix. */
  readonly expertProduct: (name: string, expert: number, x: Rows, count: number) => Rows;
  /** Rows normed by the weight of that name; row r takes row r % (its rows) of it. */
  readonly norm: (name: string, x: Rows) => Rows;
  readonly activate: (value: number) => number;
}

export function runReference(
  { config, tensors }: ReferenceModel,
  tokens: readonly number[],
  rounding: Rounding = {},
): ReferenceRun {
  const { width, norms = "before", parallel, residualScale = 1 } = config;
  const inputs = new Map<string, Rows>();
  const streams: Rows[] = [];
  const operations = operationsOf(config, tensors, rounding, inputs);
  const { product, norm } = operations;
  const behind = (name: string, x: Rows) =>
    (norms === "before" ? x : norm(name, x)).map((row) => row.map((v) => v * residualScale));
  const before = (name: string, x: Rows) => (norms === "behind" ? x : norm(name, x));
  const rowsOf = (name: string, ids: readonly number[]): Rows => {
    const values = tensors.get(name) ?? new Float32Array();
    return ids.map((id) => Float64Array.from(values.subarray(id * width, (id + 1) * width)));
  };
  const { embedsByWidth, embeddingScale = embedsByWidth ? Math.sqrt(width) : 1 } = config;
  let stream = scaled(rowsOf("token_embd.weight", tokens), embeddingScale);
  if (config.learnedPositions) {
    stream = sum(stream, rowsOf("position_embd.weight", [...tokens.keys()]));
  }
  for (let layer = 0; layer < config.layers; layer += 1) {
    const blk = `blk.${layer}.`;
    const attnNorm = parallel === "attn_norm_2" ? "attn_norm_2" : "attn_norm";
    const ffnNorm = parallel && parallel !== "two norms" ? "attn_norm" : "ffn_norm";
    const isWindowed =
      config.windowPeriod === undefined || layer % config.windowPeriod < config.windowPeriod - 1;
    const seen = { ...config, window: isWindowed ? config.window : undefined };
    const turn = rotation(config, config.windowPeriod !== undefined && isWindowed);
    const attended = attention(
      operations,
      { ...seen, blk, turn, cached: rounding.cached },
      before(blk + attnNorm, stream),
    );
    const first = behind(`${blk}post_attention_norm`, attended);
    const middle = sum(stream, first);
    const ffnIn = before(blk + ffnNorm, parallel ? stream : middle);
    const ffn = config.experts
      ? mixture(operations, blk, ffnIn)
      : feedForward(operations, blk, ffnIn);
    stream = sum(middle, behind(`${blk}post_ffw_norm`, ffn));
    streams.push(stream);
  }
  const output = tensors.has("output.weight") ? "output" : "token_embd";
  const logits = scaled(
    product(output, norm("output_norm", stream)),
    1 / (config.logitDivisor ?? 1),
  );
  const cap = config.logitCap;
  const capped = cap ? logits.map((row) => row.map((x) => cap * Math.tanh(x / cap))) : logits;
  return { logits: capped, streams, inputs };
}

function feedForward({ config, product, activate }: Operations, blk: string, x: Rows): Rows {
  const { fusedGate, noGate, ffnWidth } = config;
  const half = (first: number) => product(`${blk}ffn_up`, x, { first, count: ffnWidth });
  const up = fusedGate ? half(ffnWidth) : product(`${blk}ffn_up`, x);
  if (noGate) {
    const hidden = up.map((row) => row.map(activate));
    return product(`${blk}ffn_down`, hidden);
  }
  const gate = fusedGate ? half(0) : product(`${blk}ffn_gate`, x);
  return product(`${blk}ffn_down`, gated(gate, up, activate));
}

function operationsOf(
  config: ReferenceConfig,
  tensors: ReferenceModel["tensors"],
  { input = (row) => row }: Rounding,
  inputs: Map<string, Rows>,
): Operations {
  const find = (name: string) => tensors.get(name) ?? new Float32Array();
  return {
    config,
    activate: config.gelu ? gelu : (x) => x / (1 + Math.exp(-x)),
    product: (name, x, part) => {
      inputs.set(`${name}.weight`, x);
      const perRow = x[0]?.length ?? 1;
      const all = find(`${name}.weight`);
      const { first, count } = part ?? { first: 0, count: all.length / perRow };
      const weight = all.subarray(first * perRow, (first + count) * perRow);
      const bias = tensors.get(`${name}.bias`)?.subarray(first, first + count);
      return multiply(
        weight,
        x.map((row) => input(row, `${name}.weight`)),
        bias,
      );
    },
    expertProduct: (name, expert, x, count) => {
      const key = `${name}.weight#${expert}`;
      inputs.set(key, x);
      const all = find(`${name}.weight`);
      const size = all.length / count;
      const rounded = x.map((row) => input(row, `${name}.weight`));
      return multiply(all.subarray(expert * size, (expert + 1) * size), rounded, undefined);
    },
    norm: (name, x) => {
      const perRow = x[0]?.length ?? 1;
      const weight = find(`${name}.weight`);
      const rows = weight.length / perRow;
      return x.map((row, r) => {
        const own = weight.subarray((r % rows) * perRow, ((r % rows) + 1) * perRow);
        return normed(row, own, tensors.get(`${name}.bias`), config);
      });
    },
  };
}

/** x / 2 (1 + erf) by the formula of tanh, as GPT-2 has it. */
function gelu(x: number): number {
  return (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/** x . weight^T + bias, where weight has rows as long as x's. */
function multiply(weight: Float32Array, x: Rows, bias: Float32Array | undefined): Rows {
  return x.map((row) =>
    Float64Array.from({ length: weight.length / row.length }, (_, r) => {
      let total = bias?.[r] ?? 0;
      for (let i = 0; i < row.length; i += 1) {
        total += (row[i] as number) * (weight[r * row.length + i] as number);
      }
      return total;
    }),
  );
}

function normed(
  row: Float64Array,
  weight: Float32Array,
  bias: Float32Array | undefined,
  { layerNorm, normEps }: ReferenceConfig,
): Float64Array {
  const mean = layerNorm ? row.reduce((total, value) => total + value, 0) / row.length : 0;
  const centered = row.map((value) => value - mean);
  const meanSquare = centered.reduce((total, value) => total + value * value, 0) / row.length;
  const size = Math.sqrt(meanSquare + normEps);
  return centered.map((value, i) => (value / size) * (weight[i] ?? NaN) + (bias?.[i] ?? 0));
}
