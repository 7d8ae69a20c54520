import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { tokenize } from "../../src/tokenizer/tokenize.js";
import { runCli } from "../helpers/run-cli.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const model = fileURLToPath(new URL("../../models/nibble-8m/", import.meta.url));

describe("nibble tokenize", () => {
  it("prints an id and a piece a line", async () => {
    const { stdout, status } = await runCli("tokenize", model, "--prompt", "Once\nupon");
    const { tokens, pieces } = await tokenize(model, "Once\nupon");
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => Number(line.trim().split(/\s+/)[0]))).toEqual(tokens);
    expect(lines.map((line) => JSON.parse(line.trim().replace(/^\d+\s+/, "")) as string)).toEqual(
      pieces,
    );
    expect(pieces.join("")).toBe("Once\nupon");
  });

  it("prints the ids alone with --json, from a file as from the command line", async () => {
    const path = file("text.txt");
    writeFileSync(path, "It was a day, 1234 🦙.");
    const fromFile = await runCli("tokenize", model, "--text", path, "--json");
    const fromPrompt = await runCli("tokenize", model, "-p", "It was a day, 1234 🦙.", "--json");
    const { tokens } = await tokenize(model, "It was a day, 1234 🦙.");
    expect(JSON.parse(fromFile.stdout)).toEqual({ tokens });
    expect(fromPrompt.stdout).toBe(fromFile.stdout);
  });

  it("lets another pre-tokenizer be chosen", async () => {
    const of = async (...args: string[]) =>
      JSON.parse(
        (await runCli("tokenize", model, "-p", "It's 'S", "--json", ...args)).stdout,
      ) as object;
    expect(await of("--pre", "llama-bpe")).not.toEqual(await of("--pre", "default"));
    const unknown = await runCli("tokenize", model, "-p", "x", "--pre", "nonsense");
    expect(unknown).toMatchObject({ status: 2, stdout: "" });
    expect(unknown.stderr).toMatch(/nonsense/);
  });

  it("wants exactly one text", async () => {
    for (const args of [[], ["--prompt", "a", "--text", "b"]]) {
      const { status, stderr } = await runCli("tokenize", model, ...args);
      expect(status).toBe(2);
      expect(stderr).toMatch(/either --prompt TEXT or --text FILE/);
    }
    expect(await runCli("tokenize", model, "--text", file("none"))).toMatchObject({ status: 4 });
    expect(await runCli("tokenize", model, "--prompt", "")).toMatchObject({
      status: 0,
      stdout: "",
    });
  });
});

describeShared("nibble tokenize of a vocabulary with BOS", () => {
  const vocabulary = sharedData("vocab/ggml-vocab-llama-spm.gguf");
  const ids = async (...args: string[]) => {
    const { stdout } = await runCli("tokenize", vocabulary, "-p", "a</s>", "--json", ...args);
    return (JSON.parse(stdout) as { tokens: number[] }).tokens;
  };

  it("adds BOS and parses special text unless told not to", async () => {
    expect(await ids()).toEqual([1, 263, 2]);
    expect(await ids("--no-bos")).toEqual([263, 2]);
    const plain = await ids("--no-parse-special");
    expect(plain[0]).toBe(1);
    expect(plain).not.toContain(2);
  });
});
