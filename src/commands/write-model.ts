import { existsSync } from "node:fs";
import type { Argv } from "yargs";
import type { PlanSourceOptions } from "../plan/plan-source.js";
import type { QuantizePlan } from "../plan/types.js";
import type { QuantizeMethod } from "../quantize/quantize.js";
import { outputOf } from "./output-name.js";
import { printJson, printNote, printWarning } from "./print.js";
import { printPlan, printQuantizeReport } from "./quantize-report.js";
import { callOptions, type CommandContext } from "./shared.js";

/** Options of the commands that write a model: quantize and convert. */
export const writeOptions = {
  pre: {
    type: "string",
    requiresArg: true,
    describe: "pre-tokenizer of a Hugging Face model, if it is not recognised",
  },
  "dry-run": {
    type: "boolean",
    default: false,
    describe: "print the plan and exact sizes, write nothing",
  },
  overwrite: { type: "boolean", default: false, describe: "replace the output if it exists" },
  resume: { type: "boolean", default: false, describe: "go on with what an interrupted run left" },
  verify: {
    type: "boolean",
    default: true,
    describe: "read the output again and compare it with the source (--no-verify: do not)",
  },
} as const;

export interface WriteArguments {
  readonly model: string;
  readonly output?: string | undefined;
  readonly pre?: string | undefined;
  readonly base?: string | undefined;
  readonly dryRun: boolean;
  readonly overwrite: boolean;
  readonly resume: boolean;
  readonly verify: boolean;
}

export function modelAndOutput(
  yargs: Argv,
  model: string,
): Argv<{ model: string } & { output: string | undefined }> {
  return yargs
    .positional("model", { type: "string", demandOption: true, describe: model })
    .positional("output", {
      type: "string",
      describe: "the GGUF to write (default: <name>-<type>.gguf in the working directory)",
    });
}

/** Plans, and unless that is all, writes the model; what comes out is printed. */
export async function writeModel(
  argv: WriteArguments,
  context: CommandContext,
  planOptions: PlanSourceOptions,
  method: QuantizeMethod = "reference",
): Promise<void> {
  const { plan: planSource } = await import("../plan/plan-source.js");
  const { signal } = context;
  const plan = await planSource(argv.model, {
    ...planOptions,
    pre: argv.pre,
    base: argv.base,
    signal,
  });
  const output = argv.output ?? outputOf(plan.source, plan.recipe);
  if (argv.dryRun) {
    if (context.json) printJson(plan);
    else await printPlan(plan, output);
    return;
  }
  for (const warning of plan.warnings) printWarning(warning);
  const { overwrite, resume, verify } = argv;
  const { quantize } = await import("../quantize/quantize.js");
  const options = { ...callOptions(context), output, overwrite, resume, verify, method };
  const report = await quantize(plan, options).catch(async (error: unknown) => {
    await hintAtResume(context, plan, output);
    throw error;
  });
  if (context.json) printJson(report);
  else printQuantizeReport(report);
}

async function hintAtResume(
  { signal, json }: CommandContext,
  plan: QuantizePlan,
  output: string,
): Promise<void> {
  if (!signal.aborted || json) return;
  const { outputParts } = await import("../quantize/output-parts.js");
  const [first] = outputParts(plan, output);
  if (first === undefined || !existsSync(`${first.path}.partial`)) return;
  printNote(`${first.path}.partial is kept: the same command with --resume goes on with it`);
}
