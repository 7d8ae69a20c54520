import { NibbleError } from "../errors.js";
import type { ModelInfo } from "../sources/model-info.js";

/** Typed reads of a model's own keys, `<architecture>.<key>`. Keys that are missing give undefined. */
export interface ModelValues {
  readonly architecture: string;
  /** A whole number of at least 1. */
  readonly count: (key: string) => number | undefined;
  readonly requiredCount: (key: string) => number;
  /** A finite number. */
  readonly real: (key: string) => number | undefined;
  readonly text: (key: string) => string | undefined;
  readonly flag: (key: string) => boolean | undefined;
}

/** @throws NibbleError ERR_FORMAT where the model does not name its architecture; so do the reads, of a value that does not fit. */
export function modelValues({ path, metadata }: ModelInfo): ModelValues {
  const entries = new Map(metadata.map(({ key, value }) => [key, value]));
  const damaged = (field: string, problem: string): NibbleError =>
    new NibbleError("ERR_FORMAT", `${path}: metadata ${field} ${problem}`, { path, field });
  const architecture = entries.get("general.architecture");
  if (typeof architecture !== "string") {
    throw damaged("general.architecture", "is missing or no string");
  }
  const real = (key: string): number | undefined => {
    const value = entries.get(`${architecture}.${key}`);
    if (value === undefined) return undefined;
    const number = typeof value === "number" || typeof value === "bigint" ? Number(value) : NaN;
    if (!Number.isFinite(number)) throw damaged(`${architecture}.${key}`, "is no finite number");
    return number;
  };
  const count = (key: string): number | undefined => {
    const value = real(key);
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) return value;
    throw damaged(`${architecture}.${key}`, `is ${value}, not a whole number of at least 1`);
  };
  return {
    architecture,
    real,
    count,
    requiredCount(key) {
      const value = count(key);
      if (value === undefined) throw damaged(`${architecture}.${key}`, "is missing");
      return value;
    },
    text(key) {
      const value = entries.get(`${architecture}.${key}`);
      if (value === undefined || typeof value === "string") return value;
      throw damaged(`${architecture}.${key}`, "is no string");
    },
    flag(key) {
      const value = entries.get(`${architecture}.${key}`);
      if (value === undefined || typeof value === "boolean") return value;
      throw damaged(`${architecture}.${key}`, "is neither true nor false");
    },
  };
}
