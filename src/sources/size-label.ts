import type { TensorInfo } from "./model-info.js";

const steps = [
  [1e12, 1e-12, "T"],
  [1e9, 1e-9, "B"],
  [1e6, 1e-6, "M"],
  [0, 1e-3, "K"],
] as const;

/** How many values the tensors have, and how they are told: "8.0B"; with experts "8x7B", the model with one of them. */
export function sizeOf(tensors: readonly TensorInfo[]): { parameters: number; label: string } {
  let [parameters, perExpert, shared, experts, stacked] = [0, 0, 0, 0, 0];
  for (const { name, shape } of tensors) {
    const values = shape.reduce((product, length) => product * length, 1);
    const count = name.includes("_exps.") ? (shape[2] ?? 1) : 0;
    parameters += values;
    if (count === 0) shared += values;
    else [perExpert, experts, stacked] = [perExpert + values / count, experts + count, stacked + 1];
  }
  const label =
    stacked === 0
      ? rounded(parameters)
      : `${Math.floor(experts / stacked)}x${rounded(shared + perExpert)}`;
  return { parameters, label };
}

/** Of an adapter: how many values it changes, below zero as not all of the model are among them, and no label. */
export function adapterSizeOf(tensors: readonly TensorInfo[]): {
  parameters: number;
  label?: string;
} {
  let [changed, perRow] = [0, 0];
  for (const { name, shape } of tensors) {
    const values = shape.reduce((product, length) => product * length, 1);
    if (name.endsWith(".lora_a")) perRow = shape[0] ?? 1;
    else changed += name.endsWith(".lora_b") ? (values / (shape[0] ?? 1)) * perRow : values;
  }
  return { parameters: -changed };
}

/** At least two digits, as upstream rounds: to the even one where it is in the middle. */
function rounded(count: number): string {
  const [, scale, letter] = steps.find(([above]) => count > above) ?? steps[3];
  const scaled = count * scale;
  const whole = halfEven(scaled, 0).replace(/^0+/, "");
  return `${halfEven(scaled, Math.max(2 - whole.length, 0))}${letter}`;
}

function halfEven(value: number, digits: number): string {
  const up = value.toFixed(digits);
  // toFixed is exact with many digits: a number in the middle has a 5 and zeros behind.
  const tail = value.toFixed(digits + 40).slice(-40);
  if (!/^50*$/.test(tail) || Number(up.at(-1)) % 2 === 0) return up;
  return (Number(up) - 10 ** -digits).toFixed(digits);
}
