/**
 * A second implementation of the models that the native engine runs: plain loops in double precision, written from the
 * definition of the architectures, and nothing else in mind than being right.
 */

export type Architecture = "llama" | "qwen2" | "qwen3";

/** How rotary embedding is stretched to contexts that are longer than those of the training. */
export type RopeScaling =
  | { readonly kind: "none" }
  | { readonly kind: "linear"; readonly factor: number }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFactor: number;
      readonly highFactor: number;
      readonly original: number;
    }
  | {
      readonly kind: "yarn";
      readonly factor: number;
      readonly original: number;
      readonly betaFast?: number;
      readonly betaSlow?: number;
      readonly attentionFactor?: number;
    };

export interface ReferenceConfig {
  readonly architecture: Architecture;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffnWidth: number;
  readonly vocabulary: number;
  readonly rmsEps: number;
  /** Of q . k; 1 / sqrt(headDim) where it is left out. */
  readonly attentionScale?: number;
  /** A token sees so many tokens, itself among them; all where it is left out. */
  readonly window?: number;
  readonly ropeBase: number;
  /** Of a head, the first so many values are turned. */
  readonly ropeDims: number;
  readonly rope: RopeScaling;
}

export interface ReferenceModel {
  readonly config: ReferenceConfig;
  /** Names of GGUF; row after row. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

/** One row per token. */
export type Rows = readonly Float64Array[];

export interface ReferenceRun {
  readonly logits: Rows;
  /** The residual stream after every layer. */
  readonly streams: readonly Rows[];
  /** What went into every matrix, by its name. */
  readonly inputs: ReadonlyMap<string, Rows>;
}

/** What an engine rounds on purpose: with the same done here, what is left is its arithmetic. */
export interface Rounding {
  /** A value of keys and values, as the cache holds it. */
  readonly cached?: (value: number) => number;
  /** A row that goes into a matrix. */
  readonly input?: (row: Float64Array) => Float64Array;
}

export function runReference(
  { config, tensors }: ReferenceModel,
  tokens: readonly number[],
  { cached = (value) => value, input = (row) => row }: Rounding = {},
): ReferenceRun {
  const { width, heads, kvHeads, headDim, architecture } = config;
  const inputs = new Map<string, Rows>();
  const streams: Rows[] = [];
  const find = (name: string) => tensors.get(name) ?? new Float32Array();
  const product = (name: string, x: Rows): Rows => {
    inputs.set(`${name}.weight`, x);
    return multiply(find(`${name}.weight`), x.map(input), tensors.get(`${name}.bias`));
  };
  const norm = (name: string, x: Rows) => rmsNorm(x, find(`${name}.weight`), config.rmsEps);
  const turn = rotation(config);
  const embeddings = find("token_embd.weight");
  let stream: Rows = tokens.map((id) =>
    Float64Array.from(embeddings.subarray(id * width, (id + 1) * width)),
  );
  for (let layer = 0; layer < config.layers; layer += 1) {
    const blk = `blk.${layer}.`;
    const normed = norm(`${blk}attn_norm`, stream);
    const positioned = (name: string, count: number) => {
      const rows = product(`${blk}attn_${name}`, normed);
      const split = rows.map((row) => cut(row, count, headDim));
      const parts =
        architecture === "qwen3"
          ? split.map((parts) => norm(`${blk}attn_${name}_norm`, parts))
          : split;
      return parts.map((parts, position) => parts.map((head) => turn(head, position)));
    };
    const q = positioned("q", heads);
    const k = positioned("k", kvHeads).map((parts) => parts.map((head) => head.map(cached)));
    const v = product(`${blk}attn_v`, normed).map((row) => cut(row.map(cached), kvHeads, headDim));
    stream = sum(stream, product(`${blk}attn_output`, attention(config, q, k, v)));
    const again = norm(`${blk}ffn_norm`, stream);
    const up = product(`${blk}ffn_up`, again);
    const gated = product(`${blk}ffn_gate`, again).map((row, t) =>
      row.map((gate, i) => (gate / (1 + Math.exp(-gate))) * (up[t]?.[i] ?? NaN)),
    );
    stream = sum(stream, product(`${blk}ffn_down`, gated));
    streams.push(stream);
  }
  const last = norm("output_norm", stream);
  const output = tensors.has("output.weight") ? "output" : "token_embd";
  return { logits: product(output, last), streams, inputs };
}

function multiply(weights: Float32Array, x: Rows, bias: Float32Array | undefined): Rows {
  return x.map((row) => {
    const out = new Float64Array(weights.length / row.length);
    for (let i = 0, at = 0; i < out.length; i += 1) {
      let dot = bias?.[i] ?? 0;
      for (let j = 0; j < row.length; j += 1, at += 1) {
        dot += (row[j] as number) * (weights[at] as number);
      }
      out[i] = dot;
    }
    return out;
  });
}

function rmsNorm(x: Rows, weight: Float32Array, eps: number): Rows {
  return x.map((row) => {
    const meanSquare = row.reduce((total, value) => total + value * value, 0) / row.length;
    return row.map((value, i) => (value / Math.sqrt(meanSquare + eps)) * (weight[i] ?? NaN));
  });
}

function sum(a: Rows, b: Rows): Rows {
  return a.map((row, t) => row.map((value, i) => value + (b[t]?.[i] ?? NaN)));
}

function cut(row: Float64Array, parts: number, length: number): Rows {
  return Array.from({ length: parts }, (_, i) => row.slice(i * length, (i + 1) * length));
}

/** [token][head] of each. */
function attention(
  { heads, kvHeads, headDim, window = Infinity, attentionScale }: ReferenceConfig,
  q: readonly Rows[],
  k: readonly Rows[],
  v: readonly Rows[],
): Rows {
  const scale = attentionScale ?? 1 / Math.sqrt(headDim);
  return q.map((queries, t) => {
    const out = new Float64Array(heads * headDim);
    queries.forEach((query, head) => {
      const kv = Math.floor((head * kvHeads) / heads);
      const seen = k.flatMap((_, s) => (s <= t && t - s < window ? [s] : []));
      const scores = seen.map((s) => scale * dot(query, k[s]?.[kv] as Float64Array));
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

/** Turns the pairs of a head: neighbours in GGUF's Llama, halves elsewhere. */
function rotation(config: ReferenceConfig) {
  const { architecture, ropeDims } = config;
  const { frequencies, magnitude } = stretched(config);
  const places = frequencies.map((_, i) =>
    architecture === "llama" ? [2 * i, 2 * i + 1] : [i, i + ropeDims / 2],
  );
  return (head: Float64Array, position: number): Float64Array => {
    const out = head.slice();
    frequencies.forEach((frequency, i) => {
      const [a = 0, b = 0] = places[i] ?? [];
      const [x, y] = [head[a] ?? NaN, head[b] ?? NaN];
      const [cos, sin] = [Math.cos(position * frequency), Math.sin(position * frequency)];
      out[a] = magnitude * (x * cos - y * sin);
      out[b] = magnitude * (x * sin + y * cos);
    });
    return out;
  };
}

/** Without any stretching: radians per token, pair by pair. */
function plainFrequencies({ ropeBase, ropeDims }: ReferenceConfig): number[] {
  return Array.from({ length: ropeDims / 2 }, (_, i) => 1 / ropeBase ** (i / (ropeDims / 2)));
}

function stretched(config: ReferenceConfig): { frequencies: number[]; magnitude: number } {
  const { rope } = config;
  const plain = plainFrequencies(config);
  switch (rope.kind) {
    case "none":
      return { frequencies: plain, magnitude: 1 };
    case "linear":
      return { frequencies: plain.map((f) => f / rope.factor), magnitude: 1 };
    case "llama3":
      return { frequencies: plain.map((f) => f / llama3Factor(f, rope)), magnitude: 1 };
    case "yarn":
      return yarn(plain, config, rope);
  }
}

/**
 * By what Llama 3.1 divides a frequency: nothing where its wave is shorter than original / highFactor, the factor where it
 * is longer than original / lowFactor, and in between frequencies are mixed by the number of waves in the context.
 */
export function llama3Factor(
  frequency: number,
  rope: Extract<RopeScaling, { kind: "llama3" }>,
): number {
  const waves = (rope.original * frequency) / (2 * Math.PI);
  if (waves > rope.highFactor) return 1;
  if (waves < rope.lowFactor) return rope.factor;
  const smooth = (waves - rope.lowFactor) / (rope.highFactor - rope.lowFactor);
  return frequency / (((1 - smooth) * frequency) / rope.factor + smooth * frequency);
}

/** The factors of `rope_freqs.weight`. */
export function llama3Factors(config: ReferenceConfig): number[] {
  const { rope } = config;
  if (rope.kind !== "llama3") return [];
  return plainFrequencies(config).map((frequency) => llama3Factor(frequency, rope));
}

/**
 * "YaRN" (Peng and others, 2023): pairs that turn betaFast times or more in the original context stay as they are, those
 * of betaSlow or less are interpolated, between them goes a line over the pairs' numbers, as in the authors' code.
 * Cosine and sine grow by 0.1 ln(factor) + 1.
 */
function yarn(
  plain: readonly number[],
  { ropeBase, ropeDims }: ReferenceConfig,
  rope: Extract<RopeScaling, { kind: "yarn" }>,
) {
  const { factor, original, betaFast = 32, betaSlow = 1, attentionFactor = 1 } = rope;
  const turns = (pair: number) => original / (2 * Math.PI * ropeBase ** ((2 * pair) / ropeDims));
  // The last pair that turns fast enough, the first that turns slowly enough; counted up to ropeDims as the authors do.
  let low = 0;
  while (turns(low + 1) >= betaFast) low += 1;
  let high = 0;
  while (turns(high) > betaSlow && high < ropeDims - 1) high += 1;
  const frequencies = plain.map((frequency, pair) => {
    const interpolated = low === high ? Number(pair > low) : (pair - low) / (high - low);
    const part = Math.min(1, Math.max(0, interpolated));
    return (part * frequency) / factor + (1 - part) * frequency;
  });
  return { frequencies, magnitude: attentionFactor * (0.1 * Math.log(factor) + 1) };
}

/** The nearest number that binary16 has, even on ties. */
export function roundToHalf(value: number): number {
  const size = Math.abs(value);
  if (size === 0 || !Number.isFinite(value)) return value;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const steps = size / 2 ** (exponent - 10);
  const below = Math.floor(steps);
  const rest = steps - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 === 1);
  const rounded = (below + Number(up)) * 2 ** (exponent - 10);
  return Math.sign(value) * (rounded > 65504 ? Infinity : rounded);
}

/** Blocks of 32 as whole multiples, -127 to 127, of a step: what products of integers are made of. */
export function roundToCodes(row: Float64Array): Float64Array {
  return row.map((value, i) => {
    const begin = i - (i % 32);
    const block = row.subarray(begin, begin + 32);
    const step = block.reduce((largest, other) => Math.max(largest, Math.abs(other)), 0) / 127;
    return step === 0 ? 0 : Math.round(value / step) * step;
  });
}
