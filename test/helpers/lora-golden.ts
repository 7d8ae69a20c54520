import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goldenWeight, hfGoldens, type HfGolden, type HfGoldenOutput } from "./hf-golden.js";
import { buildSafetensors, type BuiltWeight } from "./safetensors-builder.js";

/** A tiny LoRA adapter, and what llama.cpp's converter made of it. */
export interface LoraGolden {
  readonly name: string;
  readonly origin: string;
  /** The golden whose model it is for. */
  readonly base: string;
  readonly directory: string;
  readonly dtype: NonNullable<HfGolden["dtype"]>;
  /** adapter_config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Their values are those of `goldenValues`. */
  readonly weights: readonly (readonly [name: string, shape: readonly number[]])[];
  readonly outputs: Readonly<Record<string, HfGoldenOutput>>;
}

const folder = fileURLToPath(new URL("../golden/lora/", import.meta.url));

export const loraGoldens: readonly LoraGolden[] = readdirSync(folder).map((file) => ({
  name: file.replace(/\.json$/, ""),
  ...(JSON.parse(readFileSync(join(folder, file), "utf8")) as Omit<LoraGolden, "name">),
}));

export function loraGolden(name: string): LoraGolden {
  return loraGoldens.find((golden) => golden.name === name) as LoraGolden;
}

export function baseGolden({ base }: LoraGolden): HfGolden {
  return hfGoldens.find(({ name }) => name === base) as HfGolden;
}

export interface LoraChanges {
  readonly config?: object;
  readonly baseConfig?: object;
  /** In place of the golden's names and shapes. */
  readonly weights?: LoraGolden["weights"];
  readonly built?: readonly BuiltWeight[];
}

/** Writes the adapter's directory and one with the base model's config.json, below `parent`. */
export function buildLora(
  parent: string,
  golden: LoraGolden,
  changes: LoraChanges = {},
): { readonly adapter: string; readonly base: string } {
  const base = join(parent, "base");
  const adapter = join(parent, golden.directory);
  for (const path of [base, adapter]) mkdirSync(path, { recursive: true });
  const baseConfig = { ...baseGolden(golden).config, ...changes.baseConfig };
  writeFileSync(join(base, "config.json"), JSON.stringify(baseConfig));
  const config = { ...golden.config, ...changes.config };
  writeFileSync(join(adapter, "adapter_config.json"), JSON.stringify(config));
  const built =
    changes.built ??
    (changes.weights ?? golden.weights).map(([name, shape]) =>
      goldenWeight(name, shape, golden.dtype),
    );
  writeFileSync(join(adapter, "adapter_model.safetensors"), buildSafetensors(built));
  return { adapter, base };
}
