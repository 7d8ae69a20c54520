import { expect, test } from "vitest";
import { valueText } from "../../src/commands/inspect.js";
import type { MetadataEntry } from "../../src/sources/model-info.js";

const entry = (part: Omit<MetadataEntry, "key">): MetadataEntry => ({ key: "k", ...part });

test.each<readonly [string, Omit<MetadataEntry, "key">, string]>([
  ["an F32 by its own digits", { type: "f32", value: Math.fround(1e-5) }, "0.00001"],
  ["an F64 whole", { type: "f64", value: 0.1 + 0.2 }, "0.30000000000000004"],
  ["a bigint", { type: "u64", value: 2n ** 63n }, "9223372036854775808"],
  ["a string bare", { type: "string", value: "llama" }, "llama"],
  ["strings in quotes", { type: "array", elementType: "string", value: ["a", " b"] }, '"a", " b"'],
  [
    "an F32 array",
    { type: "array", elementType: "f32", value: [Math.fround(0.1), -Infinity] },
    "0.1, -Infinity",
  ],
  ["an empty array", { type: "array", elementType: "u8", value: [] }, ""],
])("%s", (_what, part, text) => expect(valueText(entry(part), false)).toBe(text));

test("long values are abbreviated, unless they are wanted whole", () => {
  const value = Array.from({ length: 100 }, (_, i) => i);
  const numbers = entry({ type: "array", elementType: "u32", value });
  expect(valueText(numbers, false)).toBe("0, 1, 2, 3, 4, 5, 6, 7, ...");
  expect(valueText(numbers, true).split(", ")).toHaveLength(100);
  const text = entry({ type: "string", value: "x".repeat(1000) });
  expect(valueText(text, false)).toHaveLength(203);
  expect(valueText(text, true)).toHaveLength(1000);
});
