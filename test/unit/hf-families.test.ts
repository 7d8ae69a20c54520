import { describe, expect, it } from "vitest";
import { makePlan } from "../../src/plan/plan.js";
import type { RecipeName } from "../../src/plan/recipes.js";
import type { MetadataEntry } from "../../src/sources/model-info.js";
import { openSource } from "../../src/sources/open.js";
import { buildGolden, hfGoldens, type HfGolden } from "../helpers/hf-golden.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

/** Keys that are not the converter's: the plan sets them, at the end. */
const planned = new Set(["general.file_type", "general.quantization_version"]);

function comparable(entries: readonly MetadataEntry[]): readonly MetadataEntry[] {
  return entries
    .filter(({ key }) => !key.startsWith("tokenizer.") && !planned.has(key))
    .map(({ key, type, elementType, value }) => ({
      key,
      type,
      ...(elementType !== undefined && { elementType }),
      value,
    }));
}

/** Upstream's, with our corrections. */
function wanted({ outputs, corrected = {} }: HfGolden, type: string): readonly MetadataEntry[] {
  const entries = comparable(outputs[type]?.metadata ?? []);
  const known = new Set(entries.map(({ key }) => key));
  return [
    ...entries.map((entry) => {
      const value = corrected[entry.key];
      return value === undefined ? entry : { ...entry, value };
    }),
    ...Object.entries(corrected)
      .filter(([key]) => !known.has(key))
      .map(([key, value]) => ({ key, type: "f32" as const, value })),
  ];
}

/** A correction stands where it belongs; upstream writes Phi's attention factor before all else. */
const sameOrder = ({ name, corrected }: HfGolden): boolean =>
  corrected === undefined && !name.startsWith("phi");
const byKey = (a: MetadataEntry, b: MetadataEntry): number => (a.key < b.key ? -1 : 1);

describe.each(hfGoldens)("$name", (golden) => {
  it.each(Object.keys(golden.outputs))("has upstream's header as %s", async (type) => {
    const source = await openSource(buildGolden(file(`${golden.name}-${type}`), golden));
    const plan = makePlan(source, { recipe: type as RecipeName });
    const [ours, theirs] = [comparable(plan.metadata), wanted(golden, type)];
    if (sameOrder(golden)) expect(ours).toEqual(theirs);
    else expect([...ours].sort(byKey)).toEqual([...theirs].sort(byKey));
    for (const key of planned) {
      const value = (entries: readonly MetadataEntry[] = []) =>
        entries.find((entry) => entry.key === key);
      // Upstream forgets it for GPT-NeoX.
      const theirs = value(golden.outputs[type]?.metadata);
      if (theirs !== undefined) expect(value(plan.metadata)).toEqual(theirs);
    }
    const tensors = plan.tensors.map(({ name, to, shape }) => [name, [to, [...shape]]]);
    const theirTensors = Object.entries(golden.outputs[type]?.tensors ?? {}).map(
      ([name, [to, shape]]) => [name, [to, shape]],
    );
    expect(Object.fromEntries(tensors)).toEqual(Object.fromEntries(theirTensors));
  });
});
