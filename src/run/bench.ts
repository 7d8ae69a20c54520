import { argumentError } from "../errors.js";
import type { ModelInfo, TensorInfo } from "../sources/model-info.js";
import { modelDescription } from "./model-description.js";
import type { EngineContext, EngineName, RunOptions } from "./engine.js";
import { abortable, withModel, type RunningModel } from "./with-model.js";

/** `pp`: a prompt of so many tokens is read in one go. `tg`: so many tokens are written one by one. */
export interface BenchTest {
  readonly kind: "pp" | "tg";
  readonly tokens: number;
}

export interface BenchOptions extends RunOptions {
  /** pp512 and tg128 by default, as in llama-bench. */
  readonly tests?: readonly BenchTest[] | undefined;
  /** Times that each test is run, after one run that does not count; 5 by default. */
  readonly repetitions?: number | undefined;
}

export interface BenchResult extends BenchTest {
  /** As llama-bench writes it: pp512, tg128. */
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
}

export interface BenchReport {
  readonly path: string;
  /** Architecture, size and type: "llama 8.4M Q4_0". */
  readonly model: string;
  readonly engine: EngineName;
  readonly threads: number;
  /** Bytes of the tensors. */
  readonly weightBytes: number;
  readonly parameters: number;
  readonly loadSeconds: number;
  readonly results: readonly BenchResult[];
}

export const defaultTests: readonly BenchTest[] = [
  { kind: "pp", tokens: 512 },
  { kind: "tg", tokens: 128 },
];

/**
 * How fast a model reads and writes, on one sequence that starts empty.
 *
 * @throws NibbleError ERR_ARGUMENT, ERR_UNSUPPORTED, ERR_FORMAT, ERR_NATIVE_LOAD; `signal.reason` on abort.
 */
export async function bench(path: string, options: BenchOptions = {}): Promise<BenchReport> {
  const { tests = defaultTests, repetitions = 5 } = options;
  if (!Number.isSafeInteger(repetitions) || repetitions < 1) {
    throw argumentError("repetitions", "an integer of at least 1", repetitions);
  }
  if (tests.length === 0) throw argumentError("tests", "at least one test", "none");
  for (const { tokens } of tests) {
    if (!Number.isSafeInteger(tokens) || tokens < 1) {
      throw argumentError("tests", "tests of at least 1 token", tokens);
    }
  }
  return withModel(path, options, async (running) => {
    const { info, engine, threads, loadSeconds } = running;
    const results = await runTests(running, tests, repetitions, options);
    return {
      path,
      model: modelDescription(info),
      engine,
      threads,
      weightBytes: info.tensors.reduce((sum, { bytes }) => sum + bytes, 0),
      parameters: info.tensors.reduce((sum, tensor) => sum + values(tensor), 0),
      loadSeconds,
      results,
    };
  });
}

function values({ shape }: TensorInfo): number {
  return shape.reduce((product, length) => product * length, 1);
}

async function runTests(
  { info, model }: RunningModel,
  tests: readonly BenchTest[],
  repetitions: number,
  { signal, onProgress }: RunOptions,
): Promise<readonly BenchResult[]> {
  const context = await model.createContext(Math.max(...tests.map(({ tokens }) => tokens)) + 1);
  const vocabulary = embedding(info)?.shape[1] ?? 1;
  const total = tests.length * (repetitions + 1);
  let done = 0;
  const results: BenchResult[] = [];
  for (const test of tests) {
    const seconds: number[] = [];
    const name = `${test.kind}${test.tokens}`;
    for (let i = 0; i <= repetitions; i += 1) {
      onProgress?.({ phase: "bench", done, total, unit: "tests", label: name });
      await context.clear();
      const began = performance.now();
      await abortable(runTest(context, test, vocabulary, model.bos, signal), signal);
      // The first run warms caches, pages and clocks.
      if (i > 0) seconds.push((performance.now() - began) / 1000);
      done += 1;
    }
    results.push(summarize(test, name, seconds, bytesRead(info, test)));
  }
  onProgress?.({ phase: "bench", done, total, unit: "tests" });
  return results;
}

async function runTest(
  context: EngineContext,
  { kind, tokens }: BenchTest,
  vocabulary: number,
  bos: number | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (kind === "pp") {
    // Any ids will do, as long as they are not all the same row of the embedding.
    await context.evaluate(Array.from({ length: tokens }, (_, i) => (i * 7919) % vocabulary));
    return;
  }
  const written = context.generate([bos ?? 0], { temperature: 0 }, true)[Symbol.asyncIterator]();
  for (let count = 0; count < tokens; count += 1) {
    signal?.throwIfAborted();
    await written.next();
  }
}

function embedding({ tensors }: ModelInfo): TensorInfo | undefined {
  return tensors.find(({ name }) => name === "token_embd.weight");
}

/** Bytes of weights that a run of the test has to read at least. */
function bytesRead(info: ModelInfo, { kind, tokens }: BenchTest): number {
  const tied = !info.tensors.some(({ name }) => name === "output.weight");
  const all = info.tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  const once = tied ? all : all - (embedding(info)?.bytes ?? 0);
  return kind === "pp" ? once : once * tokens;
}

function summarize(
  test: BenchTest,
  name: string,
  seconds: readonly number[],
  bytes: number,
): BenchResult {
  const rates = seconds.map((each) => test.tokens / each);
  const mean = average(rates);
  const squares = rates.map((rate) => (rate - mean) ** 2);
  const deviation =
    rates.length > 1 ? Math.sqrt(average(squares) * (rates.length / (rates.length - 1))) : 0;
  const bytesPerSecond = average(seconds.map((each) => bytes / each));
  return { ...test, name, seconds, tokensPerSecond: mean, deviation, bytesPerSecond };
}

function average(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
