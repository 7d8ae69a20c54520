import { describe, expect, it } from "vitest";
import {
  columnImportance,
  hasImportanceMetadata,
  selectEntries,
} from "../../src/plan/column-importance.js";
import { makePlan } from "../../src/plan/plan.js";
import { importanceEntry, importanceMatrix } from "../helpers/imatrix-builder.js";
import { syntheticModel, tensor } from "../helpers/synthetic-model.js";

const down = "blk.0.ffn_down.weight";
const up = "blk.0.ffn_up.weight";
const rows = (experts: number, columns: number, value = 4) =>
  Array.from({ length: experts }, () => Array.from({ length: columns }, () => value));

describe("selectEntries", () => {
  const matrix = importanceMatrix([
    importanceEntry(down, rows(1, 4)),
    importanceEntry(up, rows(1, 4)),
  ]);
  it.each([
    [{}, [down, up]],
    [{ includeWeights: ["down"] }, [down]],
    [{ excludeWeights: ["down", "attn"] }, [up]],
    [{ includeWeights: ["blk"], excludeWeights: ["up"] }, [down]],
    [{ includeWeights: ["nothing"] }, []],
  ])("%j leaves %j", (selection, names) => {
    expect([...selectEntries(matrix, selection).keys()]).toEqual(names);
  });
});

describe("columnImportance", () => {
  it("is the mean of the squares, expert by expert; an expert without rows counts evenly", () => {
    const squares = [
      [2, 4],
      [0, 0],
      [9, 0],
    ];
    const entry = importanceEntry("blk.0.ffn_down_exps.weight", squares, [2, 0, 3]);
    const experts = tensor("blk.0.ffn_down_exps.weight", [2, 8, 3], "F32");
    expect([...(columnImportance(experts, entry) ?? [])]).toEqual([1, 2, 1, 1, 3, 0]);
  });

  it("takes the one row of a legacy file for all experts", () => {
    const entry = importanceEntry("blk.0.ffn_down_exps.weight", [[2, 4, 6, 8]], [2]);
    const experts = tensor("blk.0.ffn_down_exps.weight", [2, 8, 2], "F32");
    expect([...(columnImportance(experts, entry) ?? [])]).toEqual([1, 2, 3, 4]);
  });

  it("refuses the matrix of another model, but for an embedding", () => {
    const refuse = (name: string) => () =>
      columnImportance(tensor(name, [8, 8], "F32"), importanceEntry(name, rows(1, 4)));
    expect(refuse(down)).toThrow(
      expect.objectContaining({
        code: "ERR_PLAN",
        details: expect.objectContaining({ tensor: down }),
      }),
    );
    expect(refuse("token_embd.weight")()).toBeUndefined();
  });
});

describe("a plan with an importance matrix", () => {
  const source = syntheticModel([tensor(down, [256, 256], "F32"), tensor(up, [256, 256], "F32")], {
    metadata: [{ key: "quantize.imatrix.dataset", type: "string", value: "of the source" }],
  });
  const half = importanceMatrix([importanceEntry(down, rows(1, 256))], {
    datasets: ["../texts/calib.txt"],
  });

  it("has it for the tensors with an entry, warns of the others, and says which it was", () => {
    const plan = makePlan(source, { recipe: "Q4_K_S", imatrix: half, imatrixName: "im.gguf" });
    expect([...(plan.importance?.keys() ?? [])]).toEqual([down]);
    expect(plan.importance?.get(down)?.every((value) => value === 2)).toBe(true);
    expect(plan.warnings.join()).toMatch(/no importance of 1 tensor \(blk\.0\.ffn_up\.weight\)/);
    const found = plan.metadata.filter(({ key }) => key.startsWith("quantize.imatrix."));
    expect(found.map(({ key, value }) => [key.slice(17), value])).toEqual([
      ["file", "im.gguf"],
      ["dataset", "calib.txt"],
      ["entries_count", 1],
      ["chunks_count", 3],
    ]);
    expect(hasImportanceMetadata(plan.metadata)).toBe(true);
    // What is printed is about tensors.
    expect(Object.keys(plan)).not.toContain("importance");
  });

  it("tells no paths, whatever they are called by", () => {
    for (const imatrixName of ["/else/where/im.gguf", "C:\\me\\im.gguf", "../im.gguf"]) {
      const imatrix = { ...half, datasets: ["/else/where\n/calib.txt"] };
      const { metadata } = makePlan(source, { recipe: "Q8_0", imatrix, imatrixName });
      const values = metadata.map(({ value }) => value);
      expect(values).toContain("im.gguf");
      expect(values).toContain("calib.txt");
    }
  });

  it("tells what the matrix knows of the tensors that are quantized", () => {
    const experts = tensor("blk.0.ffn_up_exps.weight", [256, 4, 3], "F32");
    const model = syntheticModel([...source.tensors, experts, tensor("t.weight", [256], "F32")]);
    const squares = rows(3, 256);
    squares[0]!.fill(0, 0, 5);
    squares[1]!.fill(0);
    const entry = importanceEntry(experts.name, squares, [2, 0, 2]);
    const unused = importanceEntry("t.weight", rows(1, 256));
    const imatrix = importanceMatrix([...half.entries, entry, unused]);
    const { importanceCoverage: coverage, warnings } = makePlan(model, { recipe: "Q8_0", imatrix });
    expect(coverage).toEqual({
      ...{ entries: 3, covered: 2, uncovered: [up] },
      gaps: [{ tensor: experts.name, experts: 1, columns: 5 }],
    });
    expect(warnings.join()).toMatch(/1 experts saw no row/);
    expect(makePlan(model, { recipe: "Q8_0" })).not.toHaveProperty("importanceCoverage");
  });

  it("refuses a matrix of which no entry is used, and says what to do", () => {
    const other = importanceMatrix([importanceEntry("blk.7.ffn_up.weight", rows(1, 256))]);
    const refused = expect.objectContaining({
      code: "ERR_PLAN",
      message: expect.stringMatching(
        /none of the \d selected entries.*of this model.*--imatrix/,
      ) as string,
    }) as Error;
    expect(() => makePlan(source, { recipe: "Q8_0", imatrix: other })).toThrow(refused);
    const selection = { imatrix: half, excludeWeights: ["ffn"] };
    expect(() => makePlan(source, { recipe: "Q8_0", ...selection })).toThrow(refused);
    // Nothing is quantized, so that nothing could be used.
    for (const recipe of ["COPY", "F16"] as const) {
      expect(makePlan(source, { recipe, imatrix: other }).importanceCoverage?.covered).toBe(0);
    }
  });

  it("plans for no matrix where none is given, whatever else an option says", () => {
    const options = { recipe: "IQ2_XS", hasImportance: true } as const;
    expect(() => makePlan(source, options)).toThrow(expect.objectContaining({ code: "ERR_PLAN" }));
  });

  it("forgets what the source was quantized with", () => {
    const plan = makePlan(source, { recipe: "Q8_0" });
    expect(hasImportanceMetadata(plan.metadata)).toBe(false);
    expect(plan.metadata.some(({ key }) => key.startsWith("quantize.imatrix."))).toBe(false);
  });

  it("refuses where a tensor that needs an entry has none", () => {
    expect(() => makePlan(source, { recipe: "Q2_K_S", imatrix: half })).toThrow(
      expect.objectContaining({
        code: "ERR_PLAN",
        details: expect.objectContaining({ tensor: up }),
      }),
    );
  });
});
