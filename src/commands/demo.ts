import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RecipeName } from "../plan/recipes.js";
import { ioError } from "../errors.js";
import type { BenchTest } from "../run/bench.js";
import type { EngineName } from "../run/engine.js";
import { printDemo, type DemoReport, type DemoRow } from "./demo-table.js";
import { printJson, printNote } from "./print.js";
import { engineOf, engineOptions } from "./engine-option.js";
import { callOptions, defineCommand, type CommandContext } from "./shared.js";

const model = fileURLToPath(new URL("../../models/nibble-8m/", import.meta.url));
const textFile = join(model, "eval.txt");
/** From the yardstick down. */
const types: readonly RecipeName[] = ["F16", "Q8_0", "Q6_K", "Q4_0"];
const contextLength = 512;
const prompt = "It was a cold evening in November, and the old man";
/** What fits a minute on two cores, with figures that repeat within a few percent. */
const repetitions = 3;
const promptTest: BenchTest = { kind: "pp", tokens: 512 };
const generationTest: BenchTest = { kind: "tg", tokens: 64 };
/** llama.cpp's second thread makes a token of so small a model take many times as long. */
const generationThreads: Partial<Record<EngineName, number>> = { "llama.cpp": 1 };
const sampleTokens = 60;
/** The same start for every type, so that the samples differ by the weights alone. */
const seed = 7;

export const demoCommand = defineCommand(
  "demo",
  "take the embedded model all the way: quantize, measure, write",
  (yargs) =>
    yargs.options({
      keep: { type: "string", requiresArg: true, describe: "a folder to keep the GGUFs in" },
      engine: engineOptions.engine,
    }),
  async ({ keep, engine: name }, context) => {
    const engine = engineOf(name);
    const folder = await outputFolder(keep);
    try {
      const report = await runDemo(folder, keep !== undefined, engine, context);
      if (context.json) printJson(report);
      else printDemo(report);
      if (keep !== undefined && !context.quiet) printNote(`The files are in ${keep}.`);
    } finally {
      if (keep === undefined) await rm(folder, { recursive: true, force: true });
    }
  },
);

async function outputFolder(keep: string | undefined): Promise<string> {
  if (keep === undefined) return mkdtemp(join(tmpdir(), "nibble-demo-"));
  try {
    await mkdir(keep, { recursive: true });
  } catch (error) {
    throw ioError(error, keep, "make the folder");
  }
  return keep;
}

async function runDemo(
  folder: string,
  keep: boolean,
  engine: EngineName,
  context: CommandContext,
): Promise<DemoReport> {
  const began = performance.now();
  const text = await readFile(textFile, "utf8");
  const rows: DemoRow[] = [];
  for (const type of types) {
    const output = join(folder, `nibble-8m-${type}.gguf`);
    // A folder of the user's own is not written over; ours is empty.
    const base = rows[0]?.perplexity;
    rows.push(await runType({ type, output, text, base, engine }, withType(context, type)));
    if (!keep) await rm(output, { force: true });
  }
  const seconds = (performance.now() - began) / 1000;
  return { model, text: textFile, prompt, engine, seconds, rows };
}

/** The progress of four types would look like one that starts again and again: the phase says which it is. */
function withType(context: CommandContext, type: RecipeName): CommandContext {
  const { onProgress } = context;
  return {
    ...context,
    onProgress: (progress) => onProgress({ ...progress, phase: `${type} ${progress.phase}` }),
  };
}

interface DemoStep {
  readonly type: RecipeName;
  readonly output: string;
  readonly text: string;
  /** Perplexity of the first row. */
  readonly base: number | undefined;
  readonly engine: EngineName;
}

/** One type: written, measured on the text, timed, and let write. */
async function runType(step: DemoStep, context: CommandContext): Promise<DemoRow> {
  const { type, output, text, base, engine } = step;
  const { quantize } = await import("../quantize/quantize.js");
  const { perplexity } = await import("../run/perplexity.js");
  const { bench } = await import("../run/bench.js");
  const { generate } = await import("../run/generate.js");
  const options = callOptions(context);
  const written = await quantize(model, { ...options, recipe: type, output });
  const measured = await perplexity(output, { ...options, engine, text, contextLength });
  const rate = async (test: BenchTest, threads: number | undefined) => {
    const settings = { ...options, threads, repetitions, tests: [test], engines: [engine] };
    const timed = await bench(output, settings);
    return timed.results[0]?.tokensPerSecond ?? NaN;
  };
  const promptTokensPerSecond = await rate(promptTest, options.threads);
  const threads = generationThreads[engine] ?? options.threads;
  const generationTokensPerSecond = await rate(generationTest, threads);
  let sample = "";
  const limits = {
    engine,
    threads,
    maxTokens: sampleTokens,
    temperature: 0.7,
    seed,
  };
  for await (const piece of generate(output, prompt, { ...options, ...limits })) sample += piece;
  return {
    type,
    bytes: written.bytes,
    bitsPerWeight: written.bitsPerWeight,
    perplexity: measured.perplexity,
    standardError: measured.standardError,
    changePercent: 100 * (measured.perplexity / (base ?? measured.perplexity) - 1),
    promptTokensPerSecond,
    generationTokensPerSecond,
    sample,
  };
}
