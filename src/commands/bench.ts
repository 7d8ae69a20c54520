import type { BenchReport, BenchTest } from "../run/bench.js";
import { argumentError } from "../errors.js";
import { engineNames } from "../run/engine.js";
import { cacheOf, engineOf, engineOptions } from "./engine-option.js";
import { formatBytes, printJson, printLine, printTable } from "./print.js";
import { callOptions, defineCommand, integerOption, type CommandContext } from "./shared.js";

const forms = ["md", "json", "jsonl", "csv", "sql"];

export const benchCommand = defineCommand(
  "bench [models..]",
  "tokens per second, in the way of llama-bench",
  (yargs) =>
    yargs
      .positional("models", {
        type: "string",
        array: true,
        default: [] as string[],
        describe: "GGUF files",
      })
      .options({
        "n-prompt": {
          alias: "p",
          type: "number",
          default: 512,
          requiresArg: true,
          describe: "tokens of a prompt, read in one go (0: no such test)",
        },
        "n-gen": {
          alias: "n",
          type: "number",
          default: 128,
          requiresArg: true,
          describe: "tokens written one by one (0: no such test)",
        },
        repetitions: {
          alias: "r",
          type: "number",
          default: 5,
          requiresArg: true,
          describe: "runs of each test",
        },
        output: {
          alias: "o",
          type: "string",
          default: "md",
          requiresArg: true,
          describe: `form of the results: ${forms.join(", ")}`,
        },
        "n-depth": {
          alias: "d",
          type: "number",
          default: 0,
          requiresArg: true,
          describe: "tokens that the context holds before each test",
        },
        engine: {
          type: "string",
          default: engineNames[0] ?? "",
          requiresArg: true,
          describe: `what computes, several in turn: ${engineNames.join(",")}`,
        },
        "cache-type": engineOptions["cache-type"],
        machine: {
          type: "boolean",
          default: false,
          describe: "what the machine can do at most, on one thread and on all",
        },
      })
      .example("$0 bench model-*.gguf", "pp512 and tg128 of each")
      .example("$0 bench model.gguf --engine native,llama.cpp", "both engines, run by run in turn")
      .example("$0 bench --machine", "the limits that the shares are of")
      .example("$0 bench model.gguf -p 0 -n 256 -o csv", "for a spreadsheet"),
  async (argv, context) => {
    const form = argv.output;
    if (argv.machine) {
      await printMachine(context);
      return;
    }
    if (argv.models.length === 0)
      throw argumentError("models", "a GGUF file, or --machine", "none");
    if (!forms.includes(form)) throw argumentError("--output", forms.join(", "), form);
    const { bench } = await import("../run/bench.js");
    const { benchFormats, benchRows } = await import("../run/bench-format.js");
    const options = {
      ...callOptions(context),
      engines: argv.engine.split(",").map(engineOf),
      cache: cacheOf(argv["cache-type"]),
      repetitions: integerOption("--repetitions", argv.repetitions),
      tests: tests(argv["n-prompt"], argv["n-gen"], argv["n-depth"]),
    };
    const reports: BenchReport[] = [];
    for (const model of argv.models) reports.push(await bench(model, options));
    if (context.json) {
      printJson(reports);
      return;
    }
    const write = benchFormats[form];
    if (write === undefined) printReports(reports);
    else printLine(write(benchRows(reports)));
  },
);

function tests(prompt: number, generation: number, before: number): readonly BenchTest[] {
  const depth = integerOption("--n-depth", before, 0);
  const all: readonly BenchTest[] = [
    { kind: "pp", tokens: integerOption("--n-prompt", prompt, 0) ?? 0, depth },
    { kind: "tg", tokens: integerOption("--n-gen", generation, 0) ?? 0, depth },
  ];
  const wanted = all.filter(({ tokens }) => tokens > 0);
  if (wanted.length === 0) throw argumentError("--n-gen", "more than 0, or --n-prompt", generation);
  return wanted;
}

function printReports(reports: readonly BenchReport[]): void {
  const right = "right" as const;
  printTable(
    ["model", "size", "engine", "test", "t/s", "read/s", "limit"],
    reports.flatMap(({ results, ...report }) =>
      results.map(({ engine, name, tokensPerSecond, deviation, ...result }) => [
        report.model,
        formatBytes(report.weightBytes),
        engine,
        name,
        `${tokensPerSecond.toFixed(2)} ± ${deviation.toFixed(2)}`,
        `${formatBytes(result.bytesPerSecond)}/s`,
        `${((100 * tokensPerSecond) / result.limitTokensPerSecond).toFixed(0)} %`,
      ]),
    ),
    { align: ["left", right, "left", right, right, right, right] },
  );
  printLine();
  for (const report of reports) printNotes(report);
}

/** What the table has no room for. */
function printNotes({ path, threads, isa, results, ...report }: BenchReport): void {
  const { readBytes, int8Operations, f32Operations } = report.limits;
  const limits = [
    `${formatBytes(readBytes)}/s from memory`,
    `${giga(int8Operations)} of int8`,
    `${giga(f32Operations)} of F32`,
  ];
  printLine(`${path}: ${threads} threads, ${isa}; limits: ${limits.join(", ")}`);
  for (const [engine, seconds] of Object.entries(report.loadSeconds)) {
    const first = results.find((result) => result.engine === engine && result.kind === "pp");
    const wait = first?.firstTokenSeconds;
    const waited =
      wait === undefined
        ? ""
        : `, first token behind ${first?.name ?? ""} after ${wait.toFixed(3)} s`;
    printLine(`${engine}: loaded in ${seconds.toFixed(2)} s${waited}`);
  }
}

/** The limits on one thread and on all. */
async function printMachine(context: CommandContext): Promise<void> {
  const { machineLimits } = await import("../run/machine-limits.js");
  const { devices } = await import("../run/devices.js");
  const all = callOptions(context);
  const limits = [await machineLimits({ ...all, threads: 1 })];
  const whole = await machineLimits(all);
  if (whole.threads > 1) limits.push(whole);
  const [device] = await devices();
  if (context.json) {
    printJson({ name: device?.name, isa: device?.isa, limits });
    return;
  }
  printTable(
    ["threads", "read/s", "copy/s", "int8", "F32"],
    limits.map(({ threads, readBytes, copyBytes, int8Operations, f32Operations }) => [
      String(threads),
      `${formatBytes(readBytes)}/s`,
      `${formatBytes(copyBytes)}/s`,
      giga(int8Operations),
      giga(f32Operations),
    ]),
    { align: ["right", "right", "right", "right", "right"] },
  );
  printLine();
  printLine(`${device?.name}, ${device?.isa}; an operation is a multiplication or an addition`);
}

function giga(operations: number): string {
  return `${(operations / 1e9).toFixed(0)} Gop/s`;
}
