import type { FormatName } from "../formats.js";

/** How far a tensor may be from its source: rmse <= relative * rms(source) + absolute. */
export interface ErrorLimit {
  readonly relative: number;
  readonly absolute: number;
  /** Only values that are like weights keep to it; with others the type may do worse and be what it has to be. */
  readonly usual?: true;
}

// A block of n values with the largest magnitude a has rms of at least a / sqrt(n), and the error of each of its values
// is at most a share s of a, so the tensor's rmse is at most s * sqrt(n) times its rms. Shares, with d the step:
//   Q8_0  d = a/127, half a step                              1/254
//   Q4_0  d = a/8, a value of the other sign is cut to 7d     1/8       (Q5_0: 1/16)
//   Q4_1  d = (max - min)/15 <= 2a/15, half a step            1/15      (Q5_1: 1/31)
//   Q6_K  groups of 16 in super-blocks of 256. The search weighs errors by x^2 and may leave a group's other values
//         a step of at most a/25 off (the smallest of its trial scales), and a group's scale is rounded to 1/128 of the
//         largest, which moves a value by up to 32 * A/(32 * 128 * 2); A/sqrt(256) <= rms: 4/25 + 16/256.
//   Q4_K  groups of 32 in super-blocks of 256, most = 15 (Q5_K: 31). A group starts at half a step of (max - min)/most,
//         and the search only lowers the error under weights between rms and rms + a: an rmse of at most sqrt(2) a/most.
//         Scale and min are rounded to 1/63 of the largest ones, which moves a value by up to (2A + A)/126; trials stretch
//         scale and min by less than 2/most.
//   Q3_K  values are rounded once more when the scales are stored, and 0 is a code: no error is larger than its value.
//   Q2_K  weights near 0 and mins of 4 bits bound nothing better: but a tensor worse than one of zeros is a problem.
//   TQ1_0, TQ2_0, Q2_0  d = a, and 0 is a code: no value is more off than its own magnitude.
//   Q1_0  d = the mean magnitude m: the error's mean square is rms^2 - m^2.
//   MXFP4 the scale s is a power of two with 4 s <= a < 8 s; codes are 0 .5 1 1.5 2 3 4 6. A value of at least s is off
//         by at most a quarter of itself (8 s becomes 6 s), a smaller one by s/4 <= a/16. The exponent ends at 2^-127.
//   NVFP4 s is a/6, rounded by at most 1/16 of it (but from 248 on up to 448); groups of 16. From s on a value is off by
//         at most a fifth of itself (2.5 s), a smaller one by s/4. Scales under 2^-6 are multiples of 2^-9 and are up to
//         one multiple off, and 6 times that is what the largest value loses. Over 6 * 448 values are cut: no limit.
//   IQ    Errors of large values count more in the searches, and codes come from codebooks of few points without a zero:
//         beside one large value all others of its group may become anything up to it. Usually zeros would be worse.
// d and m are rounded to f16, which moves a value by up to 2^-11 of a. Under f16's smallest normal they lose up to 2^-25
// each, times the largest code: the absolute part.
const f16Rounding = 2 ** -11;
const f16HalfSpacing = 2 ** -25;

function block(share: number, values: number, largestCode: number): ErrorLimit {
  return {
    relative: (share + f16Rounding) * Math.sqrt(values),
    absolute: largestCode * f16HalfSpacing,
  };
}

/** Groups of 32 with `most` codes above 0, in super-blocks of 256. */
function affineGroups(most: number): ErrorLimit {
  const group = (Math.SQRT2 / most) * Math.sqrt(32);
  const rounding = ((3 * (1 + 2 / most)) / 126 + 3 * f16Rounding) * Math.sqrt(256);
  return { relative: group + rounding, absolute: 63 * (most + 1) * f16HalfSpacing };
}

/** No worse than zeros are, usually; `largestCode` steps of d are the largest magnitude. */
function betterThanZeros(largestCode: number): ErrorLimit {
  return { relative: 1, absolute: largestCode * f16HalfSpacing, usual: true };
}

const limits: Partial<Record<FormatName, ErrorLimit>> = {
  F32: { relative: 0, absolute: 0 },
  F16: { relative: f16Rounding, absolute: f16HalfSpacing },
  BF16: { relative: 2 ** -8, absolute: 2 ** -134 },
  Q8_0: block(1 / 254, 32, 127),
  Q4_0: block(1 / 8, 32, 8),
  Q4_1: block(1 / 15, 32, 16),
  Q5_0: block(1 / 16, 32, 16),
  Q5_1: block(1 / 31, 32, 32),
  Q2_K: { relative: 1, absolute: 15 * 4 * f16HalfSpacing },
  Q3_K: { relative: 1, absolute: 32 * 4 * f16HalfSpacing },
  Q4_K: affineGroups(15),
  Q5_K: affineGroups(31),
  TQ1_0: { relative: 1 + 2 * f16Rounding, absolute: f16HalfSpacing },
  TQ2_0: { relative: 1 + 2 * f16Rounding, absolute: f16HalfSpacing },
  Q2_0: { relative: 1 + 2 * f16Rounding, absolute: f16HalfSpacing },
  Q1_0: { relative: 1 + f16Rounding, absolute: f16HalfSpacing },
  MXFP4: { relative: Math.hypot(1 / 4, Math.sqrt(32) / 16), absolute: 2 ** -127 },
  NVFP4: { relative: Math.hypot(1 / 5, (448 / 248 / 24) * 4), absolute: 6 * 2 ** -9 },
  Q6_K: block((4 / 25 + 16 / 256) / 16, 256, 127 * 32),
  IQ4_NL: betterThanZeros(127),
  IQ4_XS: betterThanZeros(127 * 32),
  IQ3_S: betterThanZeros(31 * 15),
  IQ3_XXS: betterThanZeros(7.75 * 62),
  IQ2_S: betterThanZeros(3.875 * 43),
  IQ2_XS: betterThanZeros(3.875 * 43),
  IQ2_XXS: betterThanZeros(3.875 * 43),
  IQ1_S: betterThanZeros(15 * 1.125),
  IQ1_M: betterThanZeros(15 * 1.125),
};

/** Types whose bytes importance does not change. */
const unweighted: readonly FormatName[] = [
  ...(["F32", "F16", "BF16", "Q8_0"] as const),
  ...(["TQ1_0", "TQ2_0", "Q1_0", "Q2_0", "MXFP4", "NVFP4"] as const),
];

/**
 * The limit of a type that Nibble writes; undefined for one that it only copies (then the bytes are equal). With
 * importance values whose columns do not count may become anything; usually zeros would be worse.
 */
export function errorLimit(
  from: FormatName,
  to: FormatName,
  isWeighted = false,
): ErrorLimit | undefined {
  if (from === to) return { relative: 0, absolute: 0 };
  const limit = limits[to];
  if (limit === undefined || !isWeighted || unweighted.includes(to)) return limit;
  return { relative: Math.max(1, limit.relative), absolute: limit.absolute, usual: true };
}
