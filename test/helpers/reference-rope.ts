import type { ReferenceConfig, RopeScaling } from "./reference-config.js";

export type Turn = (head: Float64Array, position: number) => Float64Array;

/** Turns the pairs of a head, neighbours or halves; layers with a window may turn otherwise. */
export function rotation(config: ReferenceConfig, isWindowed: boolean): Turn {
  if (config.noRope) return (head) => head;
  const { windowRopeBase: ropeBase = config.ropeBase, windowRopeIsPlain, rope } = config;
  const windowed: ReferenceConfig = {
    ...config,
    ropeBase,
    rope: windowRopeIsPlain ? { kind: "none" } : rope,
  };
  const { frequencies, magnitude } = stretched(isWindowed ? windowed : config);
  const places = frequencies.map((_, i) =>
    config.neighbours ? [2 * i, 2 * i + 1] : [i, i + config.ropeDims / 2],
  );
  return (head, position) => {
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
    case "longrope": {
      const factors = rope.isLong ? rope.long : rope.short;
      const frequencies = plain.map((f, i) => f / (factors[i] ?? NaN));
      return { frequencies, magnitude: rope.attentionFactor };
    }
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
