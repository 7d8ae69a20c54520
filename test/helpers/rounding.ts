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
