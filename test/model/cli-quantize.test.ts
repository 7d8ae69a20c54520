import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ModelInfo } from "../../src/sources/model-info.js";
import type { QuantizePlan } from "../../src/plan/types.js";
import type { QuantizeReport } from "../../src/quantize/quantize.js";
import type { VerifyReport } from "../../src/quantize/verify.js";
import { runCli } from "../helpers/run-cli.js";

const model = fileURLToPath(new URL("../../models/nibble-8m", import.meta.url));
let folder = "";
let quantized = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nibble-cli-"));
  quantized = join(folder, "q4.gguf");
  const { status, stderr } = await runCli(
    "quantize",
    model,
    quantized,
    "--type",
    "q4_0",
    "--quiet",
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);

describe("inspect", () => {
  test.each(["hf", "gguf"])("shows metadata, types and sizes of %s", async (container) => {
    const { stdout, status } = await runCli("inspect", container === "hf" ? model : quantized);
    expect(status).toBe(0);
    expect(stdout).toMatch(/\| general\.architecture +\| string +\| llama +\|/);
    expect(stdout).toMatch(/\| tokenizer\.ggml\.tokens +\| string\[4096\] +\| "<\|bos\|>", /);
    expect(stdout).toContain("8,392,960 weights");
    expect(stdout).not.toContain("blk.0.attn_q.weight");
    expect(stdout.length).toBeLessThan(20_000);
  });

  test("--tensors lists them, --all prints whole values", async () => {
    const { stdout } = await runCli("inspect", quantized, "--tensors");
    expect(stdout).toMatch(/\| blk\.0\.attn_q\.weight +\| Q4_0 +\| +256 x 256 \| +36,864 \|/);
    expect((await runCli("inspect", quantized, "--all")).stdout.length).toBeGreaterThan(40_000);
  });

  test("--json is the ModelInfo, arrays whole", async () => {
    const { stdout, stderr } = await runCli("inspect", quantized, "--json");
    const info = JSON.parse(stdout) as ModelInfo;
    expect(stderr).toBe("");
    expect(info.container).toBe("gguf");
    const tokens = info.metadata.find(({ key }) => key === "tokenizer.ggml.tokens");
    expect(tokens?.value).toHaveLength(4096);
  });
});

describe("quantize", () => {
  test("prints path, size, speed and the worst tensors", async () => {
    const { stdout, stderr, status } = await runCli(
      "quantize",
      model,
      at("a.gguf"),
      "--type",
      "Q4_0",
    );
    expect(status).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/a\.gguf: Q4_0, 16\.0\d MiB -> 4\.\d\d MiB, 4\.\d\d bits per weight/);
    expect(stdout).toMatch(/written in .* of source \(\d+ threads?, /);
    expect(stdout).toMatch(/\| tensor +\| from +\| to +\| +error \|/);
    expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
  });

  test("--json is the report alone", async () => {
    const { stdout, stderr } = await runCli(
      ...["quantize", model, at("b.gguf"), "--type", "Q6_K", "--json", "--threads", "1"],
    );
    const report = JSON.parse(stdout) as QuantizeReport;
    expect(stderr).toBe("");
    expect(report).toMatchObject({ recipe: "Q6_K", verified: true, threads: 1 });
    expect(report.bytes).toBe(statSync(at("b.gguf")).size);
  });

  test("--dry-run writes nothing and knows the size to the byte", async () => {
    const { stdout, status } = await runCli(
      ...["quantize", model, at("dry.gguf"), "--type", "Q4_0", "--dry-run"],
    );
    expect(status).toBe(0);
    expect(existsSync(at("dry.gguf"))).toBe(false);
    expect(stdout).toContain(`${statSync(quantized).size.toLocaleString("en-US")} bytes`);
    expect(stdout).toMatch(/\| output\.weight +\| 256 x 4096 \| BF16 \| Q6_K +\|/);
    const json = await runCli("quantize", model, "--type", "Q4_0", "--dry-run", "--json");
    expect((JSON.parse(json.stdout) as QuantizePlan).tensors).toHaveLength(75);
  });

  test("--tensor-type is repeatable, splits at the last = and warns where nothing matches", async () => {
    const { stdout, stderr, status } = await runCli(
      ...["quantize", "--tensor-type", "blk.[01].ffn_down=Q8_0", "--tensor-type", "(?=none)x=Q6_K"],
      ...[model, at("t.gguf"), "--type", "Q4_0", "--dry-run"],
    );
    expect(status).toBe(0);
    expect(stdout.match(/ffn_down\.weight +\| +768 x 256 \| BF16 \| Q8_0/g)).toHaveLength(2);
    expect(stderr).toMatch(/^\S*warning:\S* .*\(\?=none\)x.*\n$/);
  });

  test("an output that exists is left alone, unless --overwrite is given", async () => {
    const again = ["quantize", model, quantized, "--type", "Q4_0", "--quiet"];
    const refused = await runCli(...again);
    expect(refused.stderr).toMatch(/^nibble: .*--overwrite.*q4\.gguf"\n$/);
    expect(refused.status).toBeGreaterThan(1);
    expect((await runCli(...again, "--overwrite")).status).toBe(0);
  });

  test("what is quantized already needs --allow-requantize", async () => {
    const { stderr, status } = await runCli("quantize", quantized, at("q.gguf"), "--type", "Q8_0");
    expect(status).toBe(3);
    expect(stderr).toMatch(/--allow-requantize/);
  });

  test("convert is the same stream", async () => {
    const { stdout, status } = await runCli("convert", model, at("f16.gguf"), "--quiet");
    expect(status).toBe(0);
    expect(stdout).toContain("f16.gguf: F16");
  });
});

describe("verify", () => {
  test("lists the sha256 of every tensor, and with --against its error", async () => {
    const { stdout, status } = await runCli("verify", quantized, "--against", model);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /\| output\.weight +\| Q6_K \| +\S+ \| +0\.0\d+ \| +\S+ \| [0-9a-f]{64} \|/,
    );
    expect(stdout).toMatch(/75 tensors, ok\n$/);
  });

  test("a scale that is NaN is a problem: status 5, and --json says it too", async () => {
    const damaged = at("damaged.gguf");
    copyFileSync(quantized, damaged);
    const file = openSync(damaged, "r+");
    // A block of Q4_0 starts with its scale in F16.
    const info = JSON.parse((await runCli("inspect", damaged, "--json")).stdout) as ModelInfo;
    const tensor = info.tensors.find(({ type }) => type === "Q4_0");
    writeSync(file, Buffer.from([0x00, 0x7e]), 0, 2, tensor?.pieces[0]?.offset ?? 0);
    closeSync(file);
    const { stdout, status } = await runCli("verify", damaged);
    expect(status).toBe(5);
    expect(stdout).toMatch(new RegExp(`problem: ${tensor?.name ?? ""}: `));
    expect(stdout).toMatch(/1 problem\n$/);
    const json = await runCli("verify", damaged, "--json");
    expect(json.status).toBe(5);
    expect((JSON.parse(json.stdout) as VerifyReport).ok).toBe(false);
  });
});

test("devices shows the CPU", async () => {
  const { stdout } = await runCli("devices");
  expect(stdout).toMatch(/\| cpu +\|/);
  const [device] = JSON.parse((await runCli("devices", "--json")).stdout) as { cores: number }[];
  expect(device?.cores).toBeGreaterThan(0);
});
