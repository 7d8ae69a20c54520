import { createHash } from "node:crypto";
import { argumentError } from "../errors.js";
import { machine } from "../native/load.js";
import type { ModelInfo, TensorInfo } from "../sources/model-info.js";
import {
  engineNames,
  type CacheType,
  type EngineContext,
  type EngineName,
  type RunOptions,
} from "./engine.js";
import { attentionWork, leastSeconds, weightWork } from "./bench-limit.js";
import { machineLimits, type MachineLimits } from "./machine-limits.js";
import { modelDescription } from "./model-description.js";
import { abortable, openModel, type RunningModel } from "./with-model.js";

/** `pp`: a prompt of so many tokens is read in one go. `tg`: so many tokens are written one by one. */
export interface BenchTest {
  readonly kind: "pp" | "tg";
  readonly tokens: number;
  /** Tokens that the context holds before; 0 by default. Reading them does not count. */
  readonly depth?: number | undefined;
}

export interface BenchOptions extends Omit<RunOptions, "engine"> {
  /** Run after run in turn, so that what disturbs the machine disturbs all; the default engine alone by default. */
  readonly engines?: readonly EngineName[] | undefined;
  /** pp512 and tg128 by default, as in llama-bench. */
  readonly tests?: readonly BenchTest[] | undefined;
  /** Times that each test is run, after one run that does not count; 5 by default. */
  readonly repetitions?: number | undefined;
}

export interface BenchResult extends BenchTest {
  readonly engine: EngineName;
  /** As llama-bench writes it: pp512, tg128, tg128 @ d4096. */
  readonly name: string;
  /** Seconds of each repetition. */
  readonly seconds: readonly number[];
  /** Mean of the repetitions' tokens per second. */
  readonly tokensPerSecond: number;
  /** Sample standard deviation of the same; 0 for one repetition. */
  readonly deviation: number;
  /**
   * Bytes of weights read per second: a generated token reads every weight once (of the embedding one row), a prompt
   * once for every batch, which is counted here as one.
   */
  readonly bytesPerSecond: number;
  /**
   * What the machine allows at most, by the weights and the keys and values that are read and the products with them. Of
   * models whose layers see a window of tokens, by the weights alone.
   */
  readonly limitTokensPerSecond: number;
  /** Of a prompt: the median of the seconds until the first token behind it was there. */
  readonly firstTokenSeconds?: number;
  /** sha256 (its first 16 digits) of the logits after the last repetition: the work was done. Native engine only. */
  readonly logitsHash?: string;
}

export interface BenchReport {
  readonly path: string;
  /** Architecture, size and type: "llama 8.4M Q4_0". */
  readonly model: string;
  readonly threads: number;
  /** Instruction set of the native engine. */
  readonly isa: string;
  /** Of the machine, measured before the tests. */
  readonly limits: MachineLimits;
  /** Bytes of the tensors. */
  readonly weightBytes: number;
  readonly parameters: number;
  readonly loadSeconds: Readonly<Partial<Record<EngineName, number>>>;
  /** Test by test, engine by engine. */
  readonly results: readonly BenchResult[];
}

export const defaultTests: readonly BenchTest[] = [
  { kind: "pp", tokens: 512 },
  { kind: "tg", tokens: 128 },
];

/**
 * How fast a model reads and writes, on one sequence.
 *
 * @throws NibbleError ERR_ARGUMENT, ERR_UNSUPPORTED, ERR_FORMAT, ERR_NATIVE_LOAD; `signal.reason` on abort.
 */
export async function bench(path: string, options: BenchOptions = {}): Promise<BenchReport> {
  const { tests = defaultTests, repetitions = 5, engines = engineNames.slice(0, 1) } = options;
  checkOptions(tests, repetitions, engines);
  const limits = await machineLimits(options);
  const running: RunningModel[] = [];
  try {
    for (const engine of engines) running.push(await openModel(path, { ...options, engine }));
    const [{ info }] = running as [RunningModel];
    const results = await runTests(running, tests, repetitions, limits, options);
    return {
      path,
      model: modelDescription(info),
      threads: limits.threads,
      isa: machine().isa,
      limits,
      weightBytes: info.tensors.reduce((sum, { bytes }) => sum + bytes, 0),
      parameters: info.tensors.reduce((sum, tensor) => sum + values(tensor), 0),
      loadSeconds: Object.fromEntries(running.map((each) => [each.engine, each.loadSeconds])),
      results,
    };
  } finally {
    for (const { dispose } of running) await dispose();
  }
}

function checkOptions(
  tests: readonly BenchTest[],
  repetitions: number,
  engines: readonly EngineName[],
): void {
  if (!Number.isSafeInteger(repetitions) || repetitions < 1) {
    throw argumentError("repetitions", "an integer of at least 1", repetitions);
  }
  if (tests.length === 0) throw argumentError("tests", "at least one test", "none");
  if (engines.length === 0) throw argumentError("engines", "at least one engine", "none");
  for (const { tokens, depth = 0 } of tests) {
    if (!Number.isSafeInteger(tokens) || tokens < 1) {
      throw argumentError("tests", "tests of at least 1 token", tokens);
    }
    if (!Number.isSafeInteger(depth) || depth < 0) {
      throw argumentError("tests", "a depth of at least 0 tokens", depth);
    }
  }
}

function values({ shape }: TensorInfo): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** One engine with its context and what its runs took. */
interface Lane {
  readonly running: RunningModel;
  readonly context: EngineContext;
  readonly vocabulary: number;
}

interface Run {
  readonly seconds: number;
  readonly firstTokenSeconds?: number;
}

async function runTests(
  models: readonly RunningModel[],
  tests: readonly BenchTest[],
  repetitions: number,
  limits: MachineLimits,
  { signal, onProgress, cache = "F16" }: Pick<RunOptions, "signal" | "onProgress" | "cache">,
): Promise<readonly BenchResult[]> {
  // A token for the first that is written, and one for the logits that are hashed.
  const length = Math.max(...tests.map(({ tokens, depth = 0 }) => tokens + depth)) + 2;
  const lanes: Lane[] = [];
  for (const running of models) {
    const vocabulary = embedding(running.info)?.shape[1] ?? 1;
    lanes.push({ running, vocabulary, context: await running.model.createContext(length) });
  }
  const total = tests.length * (repetitions + 1) * lanes.length;
  let done = 0;
  let depth: number | undefined;
  const results: BenchResult[] = [];
  for (const test of tests) {
    const name = testName(test);
    const runs = new Map<Lane, Run[]>(lanes.map((lane) => [lane, []]));
    // What one test has read is the next one's depth only where both have the same.
    if (test.depth !== depth) for (const { context } of lanes) await context.truncate(0);
    ({ depth } = test);
    for (let i = 0; i <= repetitions; i += 1) {
      for (const lane of lanes) {
        const label = `${name} ${lane.running.engine}`;
        onProgress?.({ phase: "bench", done, total, unit: "tests", label });
        const run = await abortable(runTest(lane, test, signal), signal);
        // The first run warms caches, pages and clocks.
        if (i > 0) runs.get(lane)?.push(run);
        done += 1;
      }
    }
    for (const [lane, its] of runs) {
      const logitsHash = await abortable(hashLogits(lane), signal);
      // llama.cpp keeps keys and values as F16, whatever is asked for.
      const measured = {
        limits,
        cache: lane.running.engine === "native" ? cache : "F16",
        logitsHash,
      } as const;
      results.push(summarize(lane.running, test, name, its, measured));
    }
  }
  onProgress?.({ phase: "bench", done, total, unit: "tests" });
  return results;
}

function testName({ kind, tokens, depth = 0 }: BenchTest): string {
  return `${kind}${tokens}${depth > 0 ? ` @ d${depth}` : ""}`;
}

/** Any ids will do, as long as they are not all the same row of the embedding. */
function someTokens(count: number, vocabulary: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => (i * 7919) % vocabulary);
}

async function runTest(
  { context, vocabulary, running: { model } }: Lane,
  { kind, tokens, depth = 0 }: BenchTest,
  signal: AbortSignal | undefined,
): Promise<Run> {
  // The depth stays from run to run.
  await context.truncate(depth);
  const missing = someTokens(depth, vocabulary).slice(context.length());
  if (missing.length > 0) await context.evaluate(missing);
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  if (kind === "pp") {
    const prompt = someTokens(tokens, vocabulary);
    await context.evaluate(prompt);
    const seconds = elapsed();
    const next = context.generate([prompt.at(-1) ?? 0], { temperature: 0 }, true);
    await next[Symbol.asyncIterator]().next();
    return { seconds, firstTokenSeconds: elapsed() };
  }
  const written = context.generate([model.bos ?? 0], { temperature: 0 }, true);
  const iterator = written[Symbol.asyncIterator]();
  for (let count = 0; count < tokens; count += 1) {
    signal?.throwIfAborted();
    await iterator.next();
  }
  return { seconds: elapsed() };
}

async function hashLogits({ context }: Lane): Promise<string | undefined> {
  if (context.inside === undefined) return undefined;
  const hash = createHash("sha256");
  for await (const logits of context.inside.logits([0], 0)) hash.update(logits);
  return hash.digest("hex").slice(0, 16);
}

function embedding({ tensors }: ModelInfo): TensorInfo | undefined {
  return tensors.find(({ name }) => name === "token_embd.weight");
}

interface Measured {
  readonly limits: MachineLimits;
  readonly cache: CacheType;
  readonly logitsHash: string | undefined;
}

function summarize(
  { info, engine }: RunningModel,
  test: BenchTest,
  name: string,
  runs: readonly Run[],
  { limits, cache, logitsHash }: Measured,
): BenchResult {
  const seconds = runs.map((run) => run.seconds);
  const rates = seconds.map((each) => test.tokens / each);
  const mean = average(rates);
  const squares = rates.map((rate) => (rate - mean) ** 2);
  const deviation =
    rates.length > 1 ? Math.sqrt(average(squares) * (rates.length / (rates.length - 1))) : 0;
  const work = weightWork(info, test);
  const bytesPerSecond = average(seconds.map((each) => work.bytes / each));
  const all = [work, attentionWork(info, test, cache)];
  const limitTokensPerSecond = test.tokens / leastSeconds(all, limits);
  const first = runs.flatMap(({ firstTokenSeconds: its }) => (its === undefined ? [] : [its]));
  return {
    ...{ engine, ...test, name, seconds, tokensPerSecond: mean, deviation, bytesPerSecond },
    limitTokensPerSecond,
    ...(first.length > 0 && { firstTokenSeconds: median(first) }),
    ...(logitsHash !== undefined && { logitsHash }),
  };
}

function average(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
