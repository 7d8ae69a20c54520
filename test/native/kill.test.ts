import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { quantize } from "../../src/quantize/quantize.js";
import { verify } from "../../src/quantize/verify.js";
import { buildGguf } from "../helpers/gguf-builder.js";
import { randomSource, randomWeights } from "../helpers/random.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const file = temporaryFolder();
const recipe = "Q6_K";
const kills = 20;
let model: string;
let expected: string;

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

beforeAll(async () => {
  const weights = randomWeights(1 << 20, 11);
  model = file("model.gguf");
  writeFileSync(
    model,
    buildGguf({
      metadata: [{ key: "general.architecture", type: "string", value: "llama" }],
      tensors: Array.from({ length: 16 }, (_, i) => ({
        name: `blk.${i}.ffn_up.weight`,
        type: "F32",
        shape: [1024, 1024],
        data: new Uint8Array(weights.buffer),
      })),
    }),
  );
  await quantize(model, { recipe, output: file("expected.gguf") });
  expected = sha256(file("expected.gguf"));
});

/** Runs the command and kills it after so long; whether it had ended by then. */
function runAndKill(output: string, milliseconds: number): Promise<boolean> {
  const args = [cli, "quantize", model, output, "--type", recipe, "--resume", "--quiet"];
  // The generic kernels are slow: the run lasts long enough to be killed in every phase.
  const child = spawn(process.execPath, args, {
    stdio: "ignore",
    env: { ...process.env, NIBBLE_FORCE_ISA: "generic" },
  });
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), milliseconds);
    child.on("exit", (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}

describe("kill -9", () => {
  it(`at ${kills} random moments, then --resume: the same bytes, and never a file that does not verify`, async () => {
    const random = randomSource(2026);
    const output = file("killed.gguf");
    const began = performance.now();
    expect(await runAndKill(output, 60_000)).toBe(true);
    const whole = performance.now() - began;
    rmSync(output);
    let killed = 0;
    while (killed < kills) {
      const ended = await runAndKill(output, random() * whole);
      if (!ended) killed += 1;
      if (existsSync(output)) {
        expect((await verify(output, { against: model })).ok).toBe(true);
        expect(sha256(output)).toBe(expected);
        rmSync(output);
      }
    }
    expect(await runAndKill(output, 60_000)).toBe(true);
    expect(sha256(output)).toBe(expected);
    expect(existsSync(`${output}.partial`)).toBe(false);
    expect(existsSync(`${output}.partial.journal`)).toBe(false);
  }, 120_000);
});
