import { createHash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { quantize } from "../../src/quantize/quantize.js";
import { buildGguf } from "../helpers/gguf-builder.js";
import { randomWeights } from "../helpers/random.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const recipe = "Q6_K";
let model: string;
let expected: string;

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

beforeAll(async () => {
  // 24 tensors of 4 MiB: enough for an abort to fall between them.
  const weights = randomWeights(1 << 20, 7);
  const data = new Uint8Array(weights.buffer);
  model = file("model.gguf");
  writeFileSync(
    model,
    buildGguf({
      metadata: [{ key: "general.architecture", type: "string", value: "llama" }],
      tensors: Array.from({ length: 24 }, (_, i) => ({
        name: `blk.${i}.ffn_up.weight`,
        type: "F32",
        shape: [1024, 1024],
        data,
      })),
    }),
  );
  const output = file("expected.gguf");
  await quantize(model, { recipe, output });
  expected = sha256(output);
});

/** Aborts when the first progress says that something was read; the reason that was thrown. */
async function interrupted(output: string): Promise<unknown> {
  const controller = new AbortController();
  const began: { at?: number } = {};
  const result = await quantize(model, {
    recipe,
    output,
    signal: controller.signal,
    onProgress: ({ done }) => {
      if (done === 0 || controller.signal.aborted) return;
      began.at = performance.now();
      controller.abort(new Error("enough"));
    },
  }).catch((error: unknown) => error);
  expect(performance.now() - began.at!).toBeLessThan(100);
  return result;
}

describe("an interrupted quantization", { retry: 2 }, () => {
  it("throws the signal's reason as it is, within 100 ms, and leaves nothing under the final name", async () => {
    const output = file("aborted.gguf");
    expect(await interrupted(output)).toEqual(new Error("enough"));
    expect(existsSync(output)).toBe(false);
    expect(existsSync(`${output}.partial.journal`)).toBe(true);
  });

  it("goes on with --resume and gives the same bytes", async () => {
    const output = file("resumed.gguf");
    await interrupted(output);
    const report = await quantize(model, { recipe, output, resume: true });
    expect(report.resumedTensors).toBeGreaterThan(0);
    expect(sha256(output)).toBe(expected);
    expect(existsSync(`${output}.partial`)).toBe(false);
    expect(existsSync(`${output}.partial.journal`)).toBe(false);
  });

  it("does not trust a journal's last line that was cut, nor lines that are none", async () => {
    const output = file("cut.gguf");
    await interrupted(output);
    appendFileSync(`${output}.partial.journal`, "x\n-1\n999999\n2");
    await quantize(model, { recipe, output, resume: true });
    expect(sha256(output)).toBe(expected);
  });

  it("starts afresh where the partial output is missing, cut or without a journal", async () => {
    for (const [name, damage] of [
      ["missing", (partial: string) => rmSync(partial)],
      ["short", (partial: string) => truncateSync(partial, 1000)],
      ["unknown", (partial: string) => rmSync(`${partial}.journal`)],
    ] as const) {
      const output = file(`${name}.gguf`);
      await interrupted(output);
      damage(`${output}.partial`);
      const report = await quantize(model, { recipe, output, resume: true });
      expect(report.resumedTensors).toBe(0);
      expect(sha256(output)).toBe(expected);
    }
  });

  it("starts afresh without --resume", async () => {
    const output = file("afresh.gguf");
    await interrupted(output);
    const report = await quantize(model, { recipe, output });
    expect(report.resumedTensors).toBe(0);
    expect(sha256(output)).toBe(expected);
  });

  it("refuses the partial output of another recipe, and keeps it", async () => {
    const output = file("other.gguf");
    await interrupted(output);
    const error: unknown = await quantize(model, { recipe: "Q4_0", output, resume: true }).catch(
      (e: unknown) => e,
    );
    expect(isNibbleError(error, "ERR_ARGUMENT")).toBe(true);
    expect(existsSync(`${output}.partial`)).toBe(true);
  });

  it("is not begun when the signal has aborted already", async () => {
    const output = file("never.gguf");
    const reason = { some: "object" };
    const signal = AbortSignal.abort(reason);
    const error: unknown = await quantize(model, { recipe, output, signal }).catch(
      (e: unknown) => e,
    );
    expect(error).toBe(reason);
    expect(existsSync(`${output}.partial`)).toBe(false);
  });
});
