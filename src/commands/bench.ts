import type { BenchReport, BenchTest } from "../run/bench.js";
import { argumentError } from "../errors.js";
import { engineOption, engineOf } from "./engine-option.js";
import { formatBytes, printJson, printLine, printTable } from "./print.js";
import { callOptions, defineCommand, integerOption } from "./shared.js";

const forms = ["md", "json", "jsonl", "csv", "sql"];

export const benchCommand = defineCommand(
  "bench <models..>",
  "tokens per second, in the way of llama-bench",
  (yargs) =>
    yargs
      .positional("models", {
        type: "string",
        array: true,
        demandOption: true,
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
        engine: engineOption,
      })
      .example("$0 bench model-*.gguf", "pp512 and tg128 of each")
      .example("$0 bench model.gguf -p 0 -n 256 -o csv", "for a spreadsheet"),
  async (argv, context) => {
    const form = argv.output;
    if (!forms.includes(form)) throw argumentError("--output", forms.join(", "), form);
    const { bench } = await import("../run/bench.js");
    const { benchFormats, benchRows } = await import("../run/bench-format.js");
    const options = {
      ...callOptions(context),
      engine: engineOf(argv.engine),
      repetitions: integerOption("--repetitions", argv.repetitions),
      tests: tests(argv["n-prompt"], argv["n-gen"]),
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

function tests(prompt: number, generation: number): readonly BenchTest[] {
  const all: readonly BenchTest[] = [
    { kind: "pp", tokens: integerOption("--n-prompt", prompt, 0) ?? 0 },
    { kind: "tg", tokens: integerOption("--n-gen", generation, 0) ?? 0 },
  ];
  const wanted = all.filter(({ tokens }) => tokens > 0);
  if (wanted.length === 0) throw argumentError("--n-gen", "more than 0, or --n-prompt", generation);
  return wanted;
}

function printReports(reports: readonly BenchReport[]): void {
  const right = "right" as const;
  printTable(
    ["model", "size", "params", "engine", "threads", "test", "t/s", "read/s"],
    reports.flatMap((report) =>
      report.results.map(({ name, tokensPerSecond, deviation, bytesPerSecond }) => [
        report.model,
        formatBytes(report.weightBytes),
        `${(report.parameters / 1e6).toFixed(1)} M`,
        report.engine,
        String(report.threads),
        name,
        `${tokensPerSecond.toFixed(2)} ± ${deviation.toFixed(2)}`,
        `${formatBytes(bytesPerSecond)}/s`,
      ]),
    ),
    { align: ["left", right, right, "left", right, right, right, right] },
  );
  printLine();
  for (const { path, loadSeconds } of reports) {
    printLine(`${path}: loaded in ${loadSeconds.toFixed(2)} s`);
  }
}
