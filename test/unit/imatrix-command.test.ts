import { existsSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { exitStatus, type NibbleErrorCode } from "../../src/errors.js";
import { readImportanceMatrix, writeImportanceMatrix } from "../../src/imatrix/file.js";
import type { ImportanceEntry } from "../../src/imatrix/types.js";
import { buildImatrixDat, importanceEntry, importanceMatrix } from "../helpers/imatrix-builder.js";
import { runCli } from "../helpers/run-cli.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
async function stored(name: string, ...entries: ImportanceEntry[]): Promise<string> {
  const matrix = importanceMatrix(entries, { datasets: [`${name}.txt`] });
  await writeImportanceMatrix(file(name), matrix, { overwrite: true });
  return file(name);
}
function legacy(name: string): string {
  const entries = [{ name: "blk.0.attn_q.weight", calls: 2, values: [2, 4] }];
  writeFileSync(file(name), buildImatrixDat(entries, { chunks: 2, dataset: "old.txt" }));
  return file(name);
}

const q = importanceEntry("blk.0.attn_q.weight", [[1, 2]], [512]);
const experts = importanceEntry("blk.10.ffn_up_exps.weight", [[1], [0], [0]], [9, 3, 0]);

describe("nibble imatrix", () => {
  it("merges files of both formats", async () => {
    const [a, b] = [await stored("a.gguf", q), legacy("b.dat")];
    const out = file("ab.gguf");
    const { stdout, stderr, status } = await runCli(
      ...["imatrix", "--in-file", a, "--in-file", b, "-o", out],
    );
    expect(status).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toBe(`${out}: 1 tensor, 5 chunks of 512 tokens of a.gguf.txt, old.txt\n`);
    expect((await readImportanceMatrix(out)).entries).toEqual([
      importanceEntry("blk.0.attn_q.weight", [[1 + 1024, 2 + 2048]], [512 + 1024]),
    ]);
  });

  it("shows statistics and warns of what was never reached", async () => {
    const path = await stored("moe.gguf", experts, q);
    const { stdout, stderr, status } = await runCli(
      ...["imatrix", "--in-file", path, "--show-statistics"],
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/blk\.0\.attn_q .*512 .*\n.*blk\.10\.ffn_up_exps .* 12 .*66\.7% /);
    expect(stderr).toMatch(/blk\.10.*: 1 of 3 experts never reached \(2\)/);
    expect(stderr).toMatch(/blk\.10.*: 1 of 2 columns always 0/);
  });

  it("gives the same as JSON, and nothing else", async () => {
    const path = await stored("json.gguf", experts, q);
    const { stdout, stderr } = await runCli(
      ...["imatrix", "--in-file", path, "--show-statistics", "--json"],
    );
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({
      chunks: 3,
      chunkSize: 512,
      datasets: ["json.gguf.txt"],
      tensors: 2,
      statistics: [
        { name: "blk.0.attn_q.weight", rows: 512 },
        { name: "blk.10.ffn_up_exps.weight", unreachedExperts: 1, unreachedColumns: 1 },
      ],
      warnings: [{ kind: "experts" }, { kind: "columns" }],
    });
  });

  it("warns of ten things at most", async () => {
    const never = (_: unknown, i: number) => importanceEntry(`blk.${i}.q`, [[0]], [0]);
    const path = await stored("many.gguf", ...Array.from({ length: 30 }, never));
    const { stderr } = await runCli("imatrix", "--in-file", path, "--show-statistics");
    expect(stderr.match(/warning:/g)).toHaveLength(11);
    expect(stderr).toMatch(/20 more of that kind/);
  });

  const refused: readonly (readonly [string, NibbleErrorCode, RegExp, () => Promise<string[]>])[] =
    [
      ["no file", "ERR_ARGUMENT", /MODEL is missing/, async () => ["-o", file("no.gguf")]],
      [
        "nothing to do",
        "ERR_ARGUMENT",
        /--output is missing/,
        async () => ["--in-file", file("x")],
      ],
      [
        "an absent file",
        "ERR_IO",
        /no such file/,
        async () => ["--in-file", file("absent"), "-o", file("no.gguf")],
      ],
      [
        "a file that is none",
        "ERR_FORMAT",
        /no importance matrix/,
        async () => {
          writeFileSync(file("text"), "some text, which is no importance matrix");
          return ["--in-file", file("text"), "-o", file("no.gguf")];
        },
      ],
      [
        "an output that exists",
        "ERR_ARGUMENT",
        /--overwrite/,
        async () => ["--in-file", await stored("c.gguf", q), "-o", await stored("d.gguf", q)],
      ],
      [
        "two models",
        "ERR_PLAN",
        /attn_q.*1 x 2 columns.*1 x 1/,
        async () => {
          const other = importanceEntry(q.name, [[1]]);
          const files = [await stored("e.gguf", q), await stored("f.gguf", other)];
          return [...files.flatMap((path) => ["--in-file", path]), "-o", file("no.gguf")];
        },
      ],
    ];
  it.each(refused)("refuses %s", async (_what, code, says, setup) => {
    const { stdout, stderr, status } = await runCli("imatrix", ...(await setup()));
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^nibble: [^\n]+\n$/);
    expect(stdout).toBe("");
    expect(status).toBe(exitStatus[code]);
    expect(existsSync(file("no.gguf"))).toBe(false);
  });

  it("explains itself", async () => {
    const { stdout } = await runCli("imatrix", "--help");
    expect(stdout).toMatch(/--in-file a\.gguf --in-file b\.gguf\s+merges/);
  });
});

describeShared("the statistics of real files", () => {
  it.each(["golden/imatrix/nibble-8m.gguf", "imatrix/tinyllama-shape.imatrix.dat"])(
    "of %s fit 80 columns",
    async (name) => {
      const { stdout, stderr, status } = await runCli(
        ...["imatrix", "--in-file", sharedData(name), "--show-statistics"],
      );
      expect([status, stderr]).toEqual([0, ""]);
      const lines = stdout.split("\n");
      expect(lines.length).toBeGreaterThan(56);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
      const second = lines.findIndex((line) => line.includes("blk.2."));
      expect(lines.slice(0, second).some((line) => line.includes("blk.10."))).toBe(false);
    },
  );
});
