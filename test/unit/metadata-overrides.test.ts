import { describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { parseKvOverride } from "../../src/plan/metadata-overrides.js";
import { makePlan, type PlanOptions } from "../../src/plan/plan.js";
import type { MetadataEntry } from "../../src/sources/model-info.js";
import { importanceEntry, importanceMatrix } from "../helpers/imatrix-builder.js";
import { mixtral, syntheticModel, tensor } from "../helpers/synthetic-model.js";

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isNibbleError(error, "ERR_ARGUMENT")) return error.message;
  }
  return "none";
}

describe("parseKvOverride", () => {
  it.each<[string, MetadataEntry]>([
    ["a.b=int:7", { key: "a.b", type: "u32", value: 7 }],
    ["a.b=float:0.1", { key: "a.b", type: "f32", value: Math.fround(0.1) }],
    ["a.b=bool:false", { key: "a.b", type: "bool", value: false }],
    ["a.b=str:x=y:z", { key: "a.b", type: "string", value: "x=y:z" }],
    ["a.b=str:", { key: "a.b", type: "string", value: "" }],
  ])("%s", (text, entry) => expect(parseKvOverride(text)).toEqual(entry));

  it.each([
    ["a.b", /KEY=TYPE:VALUE/],
    ["=int:1", /KEY=TYPE:VALUE/],
    ["a.b=u32:1", /int, float, bool, str/],
    ["a.b=toString:1", /int, float, bool, str/],
    ["a.b=int:-1", /from 0 to 4294967295/],
    ["a.b=int:4294967296", /from 0 to 4294967295/],
    ["a.b=int:1e3", /integer/],
    ["a.b=float:nan", /number/],
    ["a.b=bool:yes", /true or false/],
  ])("refuses %s", (text, says) => expect(messageOf(() => parseKvOverride(text))).toMatch(says));
});

describe("a plan with other metadata", () => {
  const metadata: readonly MetadataEntry[] = [
    { key: "general.name", type: "string", value: "theirs" },
    { key: "some.number", type: "i64", value: 5n },
  ];
  const name = "blk.0.ffn_down.weight";
  const source = syntheticModel([tensor(name, [256, 4], "F32")], { metadata });
  const plan = (overrideKv: readonly MetadataEntry[], more: Partial<PlanOptions> = {}) =>
    makePlan(source, { recipe: "Q8_0", overrideKv, ...more });
  const text = (key: string, value: string): MetadataEntry => ({ key, type: "string", value });

  it("has it where llama-quantize puts it: after the type, in the order given", () => {
    const { metadata: entries } = plan([text("new", "1"), text("general.name", "mine")]);
    expect(entries.map(({ key, value }) => [key, value])).toEqual([
      ["general.architecture", "llama"],
      ["some.number", 5n],
      ["general.quantization_version", 2],
      ["general.file_type", 7],
      ["new", "1"],
      ["general.name", "mine"],
    ]);
  });

  it("overrides what quantizing sets, but not what tells of the matrix and the layers", () => {
    const imatrix = importanceMatrix([importanceEntry(name, [Array<number>(256).fill(1)])]);
    const type: MetadataEntry = { key: "general.file_type", type: "u32", value: 99 };
    const chunks = text("quantize.imatrix.chunks_count", "many");
    const { metadata: entries } = plan([type, chunks], { imatrix });
    const value = (key: string) => entries.find((entry) => entry.key === key)?.value;
    expect(value("general.file_type")).toBe(99);
    expect(value("quantize.imatrix.chunks_count")).toBe(3);
  });

  it("chooses the types that follow from it", () => {
    const none: MetadataEntry = { key: "llama.expert_count", type: "u32", value: 0 };
    const typeOf = (overrideKv: readonly MetadataEntry[]) =>
      makePlan(mixtral(), { recipe: "Q4_K_M", overrideKv }).tensors.find(
        (one) => one.name === "blk.10.attn_k.weight",
      )?.to;
    expect(typeOf([])).toBe("Q8_0");
    expect(typeOf([none])).toBe("Q4_K");
  });

  it.each<[string, readonly MetadataEntry[], RegExp]>([
    [
      "the alignment",
      [{ key: "general.alignment", type: "u32", value: 64 }],
      /general\.alignment cannot be set: .*tensors/,
    ],
    [
      "what tells of the split",
      [{ key: "split.count", type: "u16", value: 2 }],
      /split\.count cannot be set: .*--keep-split/,
    ],
    [
      "another number of layers than the tensors have",
      [{ key: "llama.block_count", type: "u32", value: 2 }],
      /llama\.block_count: expected 1, .*--prune-layers/,
    ],
    ["a key twice", [text("a", "1"), text("a", "2")], /every key once/],
    ["a value of another type", [{ key: "a", type: "u8", value: 300 }], /of their types \(u8\)/],
  ])("refuses %s", (_, entries, says) => {
    expect(messageOf(() => plan(entries))).toMatch(says);
  });
});
