import type { NativeLayer, NativeModelConfig, NativeRope } from "../native/binding.js";
import type { ModelInfo } from "../sources/model-info.js";
import type { Architecture, Windows } from "./architectures.js";
import { damaged } from "./graph-errors.js";
import type { GraphNumbers } from "./graph-numbers.js";
import type { Tensors } from "./graph-places.js";
import type { ModelValues } from "./model-values.js";
import { ropeFrequencies } from "./rope.js";
import type { RopeFactors } from "./rope-factors.js";

/** Windows and rotary embedding, layer by layer. */
export type GraphLayers = Pick<NativeModelConfig, "ropeHalves" | "ropes" | "layers">;

/** @throws NibbleError ERR_FORMAT for a number that cannot be, ERR_UNSUPPORTED for an unknown scaling. */
export function graphLayers(
  { path }: ModelInfo,
  values: ModelValues,
  architecture: Architecture,
  { layers, ropeDims }: GraphNumbers,
  factors: RopeFactors,
  tensors: Tensors,
): GraphLayers {
  const { windows } = architecture;
  const pattern = typeof windows === "object" ? windows : undefined;
  const window = windowLength(path, values, windows);
  const period = patternPeriod(path, values, pattern);
  // A period of 0: all layers have a window.
  const isWindowed = (i: number) =>
    window > 0 && (pattern === undefined || period === 0 || i % period < period - 1);
  const rope = ropeReader(path, values, ropeDims, factors);
  const ropes = [rope({})];
  if (window > 0 && pattern !== undefined) {
    const base = values.real("rope.freq_base_swa") ?? pattern.ropeBase;
    ropes.push(rope({ base, isPlain: !pattern.isStretched }));
  }
  return {
    ropeHalves: architecture.rope === "halves",
    ropes,
    layers: Array.from({ length: layers }, (_, i): NativeLayer => ({
      window: isWindowed(i) ? window : 0,
      rope: isWindowed(i) ? ropes.length - 1 : 0,
      isParallel: isParallel(values, architecture, tensors, i),
    })),
  };
}

function windowLength(path: string, values: ModelValues, windows: Architecture["windows"]): number {
  if (windows === "ignored") return 0;
  const window = values.real("attention.sliding_window") ?? windows?.length ?? 0;
  if (Number.isSafeInteger(window) && window >= 0) return window;
  const field = `metadata ${values.architecture}.attention.sliding_window`;
  throw damaged(path, field, `is ${window}`);
}

function patternPeriod(path: string, values: ModelValues, pattern: Windows | undefined): number {
  if (pattern === undefined) return 1;
  const period = values.real("attention.sliding_window_pattern") ?? pattern.period;
  if (Number.isSafeInteger(period) && period >= 0) return period;
  const field = `metadata ${values.architecture}.attention.sliding_window_pattern`;
  throw damaged(path, field, `is ${period}`);
}

function isParallel(
  values: ModelValues,
  { parallel }: Architecture,
  tensors: Tensors,
  layer: number,
): boolean {
  if (parallel === undefined) return false;
  switch (parallel) {
    case "always":
      return true;
    case "by metadata":
      return values.flag("use_parallel_residual") ?? true;
    case "without ffn_norm":
      return !tensors.has(`blk.${layer}.ffn_norm.weight`);
  }
}

interface RopeChanges {
  readonly base?: number | undefined;
  readonly isPlain?: boolean;
}

function ropeReader(
  path: string,
  values: ModelValues,
  dims: number,
  { always, short, long }: RopeFactors,
): (changes: RopeChanges) => NativeRope {
  const longFrom =
    values.count("rope.scaling.original_context_length") ?? values.count("context_length") ?? 0;
  return (changes) => {
    const angles = (factors: Float32Array | undefined) =>
      ropeFrequencies(values, path, { ...changes, dims, factors });
    const { frequencies, scale } = angles(always ?? short);
    const hasLong = always === undefined && long !== undefined;
    const longFrequencies = hasLong ? angles(long).frequencies : new Float64Array();
    return { frequencies, longFrequencies, longFrom, scale };
  };
}
