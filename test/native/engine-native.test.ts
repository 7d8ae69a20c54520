import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serialize } from "node:v8";
import { Worker } from "node:worker_threads";
import { beforeAll, describe, expect, it } from "vitest";
import type { NativeContext, NativeModelOptions } from "../../src/native/binding.js";
import type { EngineOptions } from "../../src/run/engine.js";
import { nativeEngine } from "../../src/run/engine-native.js";
import { nativeModel } from "../../src/run/native-model.js";
import { readGguf } from "../../src/sources/gguf.js";
import { families } from "../helpers/families.js";
import { difference, nativeLogits, openNative } from "../helpers/native-run.js";
import { runReference } from "../helpers/reference-model.js";
import { roundToHalf } from "../helpers/rounding.js";
import { someTokens, tinyModel, writeTinyModel } from "../helpers/tiny-model.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const addonPath = fileURLToPath(new URL("../../build/Release/nibble.node", import.meta.url));
const small = tinyModel();
/** Of which 2000 tokens take long enough to be stopped in between. */
const large = tinyModel({ layers: 4, width: 256, headDim: 64, ffnWidth: 512, type: "Q8_0" });
const smallPath = file("small.gguf");
const largePath = file("large.gguf");
const tokens = someTokens(70, small.config);
const manyTokens = Int32Array.from(someTokens(2000, large.config));
const { vocabulary } = small.config;

beforeAll(() => {
  writeTinyModel(smallPath, small);
  writeTinyModel(largePath, large);
});

async function load(path: string, options: Partial<EngineOptions> = {}) {
  return nativeEngine.load(await readGguf(path), { threads: 1, ...options });
}

function equalBits(a: Float32Array, b: Float32Array): boolean {
  const bytes = (x: Float32Array) => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
  return a.length > 0 && bytes(a).equals(bytes(b));
}

async function logitsOf(context: NativeContext, some: Int32Array): Promise<Float32Array> {
  return context.evaluate(some, some.length - 1, true).promise;
}

/** Resolves when the job has done something. */
async function hasBegun(job: { progress(): { done: number } }): Promise<void> {
  while (job.progress().done === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe("the engine", () => {
  it("gives the reference's logits, from any token on", async () => {
    const model = await load(smallPath);
    const context = await model.createContext(200);
    const { logits } = runReference(small, tokens, { cached: roundToHalf });
    for (const first of [0, 33, tokens.length - 1]) {
      const rows: Float32Array[] = [];
      for await (const row of context.inside?.logits(tokens, first) ?? []) rows.push(row.slice());
      expect(difference(rows, logits.slice(first)).largest).toBeLessThan(2e-3);
      await context.truncate(0);
    }
    await model.dispose();
  });

  it("gives probabilities behind what was read before", async () => {
    const model = await load(smallPath);
    const context = await model.createContext(tokens.length);
    const whole = await context.logProbabilities(tokens, 30);
    expect(whole).toHaveLength(tokens.length - 31);
    await context.truncate(0);
    await context.evaluate(tokens.slice(0, 20));
    const rest = await context.logProbabilities(tokens.slice(20), 10);
    rest.forEach((value, i) => expect(value).toBeCloseTo(whole[i] ?? NaN, 3));
    expect(rest).toHaveLength(whole.length);
    await model.dispose();
  });

  it("writes the likeliest token each time at temperature 0", async () => {
    const model = await load(smallPath);
    const context = await model.createContext(40);
    const written: number[] = [];
    for await (const token of context.generate(tokens.slice(0, 5), { temperature: 0 }, true)) {
      if (written.push(token) === 12) break;
    }
    const all = [...tokens.slice(0, 5), ...written];
    const { logits } = runReference(small, all, { cached: roundToHalf });
    const likeliest = logits.map((row) => row.indexOf(row.reduce((a, b) => Math.max(a, b))));
    expect(written).toEqual(likeliest.slice(4, -1));
    await model.dispose();
  });

  it.each<[string, number, number[]]>([
    ["more tokens than the context has room for", 8, someTokens(9, small.config)],
    ["a negative id", 8, [1, -1]],
    ["an id behind the vocabulary", 8, [1, vocabulary]],
    ["half an id", 8, [1, 0.5]],
    ["NaN", 8, [NaN]],
    ["no tokens", 8, []],
  ])("refuses %s, and goes on", async (_, capacity, wrong) => {
    const model = await load(smallPath);
    const context = await model.createContext(capacity);
    const refusal = { code: "ERR_ARGUMENT", details: { option: "tokens" } };
    await expect(context.evaluate(wrong)).rejects.toMatchObject(refusal);
    await expect(
      context.generate(wrong, {}, true)[Symbol.asyncIterator]().next(),
    ).rejects.toMatchObject(refusal);
    await context.evaluate(tokens.slice(0, capacity));
    await expect(context.evaluate([1])).rejects.toMatchObject(refusal);
    await model.dispose();
  });

  it("refuses a cache in blocks where a head is no multiple of them", async () => {
    const model = await load(smallPath, { cache: "Q8_0" });
    const details = { option: "cache" };
    await expect(model.createContext(8)).rejects.toMatchObject({ code: "ERR_ARGUMENT", details });
  });
});

describe("importance", () => {
  const long = someTokens(530, small.config);

  it("is the sum of what the reference puts into every matrix", async () => {
    const { createContext } = await openNative(smallPath);
    const context = await createContext({ capacity: 1000, threads: 2, cache: "F16" }).promise;
    context.collectImportance();
    await context.evaluate(Int32Array.from(long), long.length - 1, true).promise;
    await context.logits(0, 1).promise;
    const { inputs } = runReference(small, long, { cached: roundToHalf });
    const found = new Map(context.importance().map((row) => [row.name, row]));
    const expected = [...inputs.keys()].filter((name) => name.startsWith("blk."));
    expect([...found.keys()].sort()).toEqual(expected.sort());
    for (const name of expected) {
      const [ours, theirs] = [found.get(name), inputs.get(name) ?? []];
      expect(ours?.rows).toEqual(Float64Array.of(long.length));
      const sums = (of: (value: number) => number) =>
        Array.from(theirs[0] ?? [], (_, i) =>
          theirs.reduce((sum, row) => sum + of(row[i] ?? NaN), 0),
        );
      const sizes = sums(Math.abs);
      sums((value) => value * value).forEach((sum, i) => {
        expect(Math.abs((ours?.sumsOfSquares[i] ?? NaN) / sum - 1), name).toBeLessThan(1e-4);
      });
      sums((value) => value).forEach((sum, i) => {
        expect(Math.abs((ours?.sums[i] ?? NaN) - sum), name).toBeLessThan(1e-3 * (sizes[i] ?? NaN));
      });
    }
  });

  it("is kept for every expert, over the tokens that went to it", async () => {
    const model = tinyModel({ ...families.qwen2moe, layers: 1 });
    const { createContext } = await openNative(writeTinyModel(file("experts.gguf"), model));
    const context = await createContext({ capacity: 600, threads: 2, cache: "F16" }).promise;
    context.collectImportance();
    const some = someTokens(530, model.config);
    await context.evaluate(Int32Array.from(some), 0, false).promise;
    const { inputs } = runReference(model, some, { cached: roundToHalf });
    const found = new Map(context.importance().map((row) => [row.name, row]));
    for (const name of ["gate", "up", "down"].map((part) => `blk.0.ffn_${part}_exps.weight`)) {
      const ours = found.get(name);
      const rowsOf = (expert: number) => inputs.get(`${name}#${expert}`) ?? [];
      const experts = [...Array(7).keys()];
      expect(ours?.rows).toEqual(Float64Array.from(experts, (expert) => rowsOf(expert).length));
      const columns = rowsOf(0)[0]?.length ?? 0;
      expect(ours?.sumsOfSquares).toHaveLength(7 * columns);
      for (const expert of experts) {
        for (let i = 0; i < columns; i += 1) {
          const squares = rowsOf(expert).map((row) => (row[i] ?? NaN) ** 2);
          const sum = squares.reduce((total, square) => total + square, 0);
          const own = ours?.sumsOfSquares[expert * columns + i] ?? NaN;
          expect(Math.abs(own / sum - 1)).toBeLessThan(1e-4);
        }
      }
    }
    expect([...found.keys()]).toContain("blk.0.ffn_gate_inp_shexp.weight");
  });

  it("sees the input of a tensor that holds several matrices once", async () => {
    const model = tinyModel({ ...families.phi3, layers: 1 });
    const { createContext } = await openNative(writeTinyModel(file("fused.gguf"), model));
    const context = await createContext({ capacity: 70, threads: 1, cache: "F16" }).promise;
    context.collectImportance();
    await context.evaluate(Int32Array.from(tokens), 0, false).promise;
    const rows = context.importance().map(({ name, rows: counts }) => [name, ...counts]);
    expect(rows).toEqual(
      ["attn_output", "attn_qkv", "ffn_down", "ffn_up"].map((name) => [
        `blk.0.${name}.weight`,
        tokens.length,
      ]),
    );
  });

  it("does not change the logits, and grows from call to call", async () => {
    const { createContext } = await openNative(smallPath);
    const context = await createContext({ capacity: 1000, threads: 2, cache: "F16" }).promise;
    const some = Int32Array.from(tokens);
    const before = await logitsOf(context, some);
    expect(context.importance()).toEqual([]);
    context.truncate(0);
    context.collectImportance();
    expect(difference([await logitsOf(context, some)], [before]).largest).toBeLessThan(2e-3);
    const once = context.importance();
    context.truncate(0);
    await context.evaluate(some, 0, false).promise;
    context.importance().forEach((row, i) => {
      expect(row.rows).toEqual(Float64Array.of(2 * tokens.length));
      row.sumsOfSquares.forEach((sum, j) => {
        expect(sum / (once[i]?.sumsOfSquares[j] ?? NaN)).toBeCloseTo(2, 5);
      });
    });
  });
});

describe("stopping", () => {
  it("a job in mid-run ends, and the context goes on as if it had not been", async () => {
    const { createContext } = await openNative(largePath);
    const context = await createContext({ capacity: 2100, threads: 2, cache: "F16" }).promise;
    const fresh = await createContext({ capacity: 2100, threads: 2, cache: "F16" }).promise;
    const [start, next] = [manyTokens.subarray(0, 50), manyTokens.subarray(50, 100)];
    await context.evaluate(start, 49, false).promise;
    const job = context.evaluate(manyTokens, 0, false);
    await hasBegun(job);
    job.cancel();
    await expect(job.promise).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(job.progress().done).toBeLessThan(manyTokens.length);
    await fresh.evaluate(start, 49, false).promise;
    expect(equalBits(await logitsOf(context, next), await logitsOf(fresh, next))).toBe(true);
  });

  it.each([0, 30])("an abort after %i ms throws the signal's reason", async (delay) => {
    const stop = new AbortController();
    const model = await load(largePath, { signal: stop.signal });
    const context = await model.createContext(2000);
    const reason = new Error("enough");
    const running = context.evaluate([...manyTokens]);
    const began = performance.now();
    if (delay === 0) stop.abort(reason);
    else setTimeout(() => stop.abort(reason), delay);
    await expect(running).rejects.toBe(reason);
    expect(performance.now() - began).toBeLessThan(delay + 1000);
    await expect(context.evaluate([1])).rejects.toBe(reason);
    await expect(model.createContext(8)).rejects.toBe(reason);
    await model.dispose();
  });

  it("what runs ends when its context and model are disposed of, and then they are gone", async () => {
    const model = await openNative(largePath);
    const context = await model.createContext({ capacity: 2000, threads: 1, cache: "F16" }).promise;
    const some = manyTokens.subarray(0, 700);
    const job = context.evaluate(some, some.length - 1, true);
    context.dispose();
    model.dispose();
    const logits = await job.promise;
    const again = (await nativeLogits(largePath, [...some])).slice(-1);
    expect(difference([logits], again).rms).toBeLessThan(2.5e-2);
    expect(() => context.truncate(0)).toThrow(/dispose/);
    expect(() => model.createContext({ capacity: 1, threads: 1, cache: "F16" })).toThrow(/dispose/);
    context.dispose();
  });

  it("an engine's model can be disposed of while it computes", async () => {
    const model = await load(largePath);
    const context = await model.createContext(2000);
    const running = context.evaluate([...manyTokens.subarray(0, 600)]);
    await model.dispose();
    await running;
    await expect(context.evaluate([1])).rejects.toMatchObject({ code: "ERR_INTERNAL" });
  });

  it("a context that is busy says so", async () => {
    const { createContext } = await openNative(largePath);
    const context = await createContext({ capacity: 2000, threads: 1, cache: "F16" }).promise;
    const job = context.evaluate(manyTokens, 0, false);
    expect(() => context.evaluate(manyTokens, 0, false)).toThrow(/one thing at a time/);
    job.cancel();
    await expect(job.promise).rejects.toMatchObject({ code: "ERR_ABORTED" });
  });
});

/** Runs a graph in a thread of its own; what it posts is the last token's logits. */
const workerCode = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { addon, graph, tokens, threads, rounds } = workerData;
  const model = require(addon).loadModel(graph);
  const options = { capacity: tokens.length, threads, cache: "F16" };
  model.createContext(options).promise.then(async (context) => {
    parentPort.postMessage("ready");
    for (let round = 0; round < rounds; round += 1) {
      context.truncate(0);
      const logits = await context.evaluate(tokens, tokens.length - 1, true).promise;
      parentPort.postMessage(logits);
    }
    context.dispose();
    model.dispose();
  });`;

const terminatingCode = `
  const { Worker } = require("node:worker_threads");
  const { readFileSync } = require("node:fs");
  const workerData = require("node:v8").deserialize(readFileSync(process.argv[2]));
  (async () => {
    for (const delay of [0, 5, 30, 60]) {
      const worker = new Worker(${JSON.stringify(workerCode)}, { eval: true, workerData });
      await new Promise((resolve) => worker.once("message", resolve));
      await new Promise((resolve) => setTimeout(resolve, delay));
      await worker.terminate();
      console.log("terminated");
    }
  })();`;

function startWorker(graph: NativeModelOptions, some: Int32Array, rounds: number): Worker {
  const workerData = { addon: addonPath, graph, tokens: some, threads: 2, rounds };
  return new Worker(workerCode, { eval: true, workerData });
}

async function resultsOf(worker: Worker): Promise<Float32Array[]> {
  const results: Float32Array[] = [];
  worker.on("message", (message: unknown) => {
    if (message instanceof Float32Array) results.push(message);
  });
  await new Promise((resolve, reject) => {
    worker.once("exit", resolve);
    worker.once("error", reject);
  });
  return results;
}

describe("several at a time", () => {
  it("two models in two worker threads", async () => {
    const paths = [smallPath, largePath];
    const some = manyTokens.subarray(0, 200);
    const found = await Promise.all(
      paths.map(async (path) =>
        resultsOf(startWorker(await nativeModel(await readGguf(path)), some, 3)),
      ),
    );
    for (const [i, path] of paths.entries()) {
      const { createContext } = await openNative(path);
      const context = await createContext({ capacity: 200, threads: 2, cache: "F16" }).promise;
      const expected = await logitsOf(context, some);
      expect(found[i]).toHaveLength(3);
      for (const logits of found[i] ?? []) expect(equalBits(logits, expected), path).toBe(true);
    }
  });

  // In a process of its own: what it has to show is that it lives on.
  it("a worker thread that is terminated in mid-run takes nothing with it", async () => {
    const graph = await nativeModel(await readGguf(largePath));
    const workerData = { addon: addonPath, graph, tokens: manyTokens, threads: 2, rounds: 1 };
    writeFileSync(file("worker-data"), serialize(workerData));
    writeFileSync(file("terminate.cjs"), terminatingCode);
    const args = [file("terminate.cjs"), file("worker-data")];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toBe("terminated\n".repeat(4));
  });

  it("two contexts of one model", async () => {
    const { createContext } = await openNative(largePath);
    const options = { capacity: 700, threads: 2, cache: "F16" } as const;
    const texts = [manyTokens.subarray(0, 700), manyTokens.subarray(900, 1300)];
    const run = async (some: Int32Array) => logitsOf(await createContext(options).promise, some);
    const together = await Promise.all(texts.map(run));
    for (const [i, some] of texts.entries()) {
      expect(equalBits(together[i] ?? new Float32Array(), await run(some))).toBe(true);
    }
  });

  // Electron refuses buffers over memory that is not V8's own: nothing in the addon may ask for them.
  it("the addon makes no external buffers", () => {
    const addon = readFileSync(addonPath).toString("latin1");
    expect(addon).toContain("napi_create_typedarray");
    expect(addon).not.toMatch(
      /napi_create_external_(arraybuffer|buffer)|node_api_create_buffer_from/,
    );
  });
});
