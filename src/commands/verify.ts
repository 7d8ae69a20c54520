import { exitStatus } from "../errors.js";
import type { VerifiedTensor, VerifyReport } from "../quantize/verify.js";
import { formatBytes, formatNumber, printJson, printLine, printTable } from "./print.js";
import { callOptions, defineCommand } from "./shared.js";

export const verifyCommand = defineCommand(
  "verify <model>",
  "check a GGUF: structure, values, sha256 per tensor",
  (yargs) =>
    yargs
      .positional("model", { type: "string", demandOption: true, describe: "a GGUF file" })
      .options({
        against: {
          type: "string",
          requiresArg: true,
          describe: "the model it was made from: adds the error per tensor",
        },
        pre: {
          type: "string",
          requiresArg: true,
          describe: "pre-tokenizer of that model, if it is not recognised",
        },
      }),
  async ({ model, against, pre }, context) => {
    const { verify } = await import("../quantize/verify.js");
    const report = await verify(model, {
      ...callOptions(context),
      ...(against !== undefined && { against }),
      ...(pre !== undefined && { pre }),
    });
    if (!report.ok) process.exitCode = exitStatus.ERR_VERIFY;
    if (context.json) printJson(report);
    else printReport(report, against !== undefined);
  },
);

function printReport(report: VerifyReport, compared: boolean): void {
  const errors = (tensor: VerifiedTensor): string[] =>
    compared ? [figure(tensor.relativeRmse), figure(tensor.maxAbsError)] : [];
  printTable(
    ["tensor", "type", "bytes", ...(compared ? ["rel. error", "max error"] : []), "sha256"],
    report.tensors.map((tensor) => [
      tensor.name,
      tensor.type,
      formatNumber(tensor.bytes),
      ...errors(tensor),
      tensor.sha256,
    ]),
    {
      align: ["left", "left", "right", ...(compared ? (["right", "right"] as const) : []), "left"],
    },
  );
  printLine();
  for (const problem of report.problems) printLine(`problem: ${problem}`);
  for (const warning of report.warnings) printLine(`warning: ${warning}`);
  const unchecked = report.tensors.filter(({ checked }) => !checked).length;
  if (unchecked > 0) {
    printLine(
      `The values of ${unchecked} tensors were not looked at: Nibble cannot decode their types yet.`,
    );
  }
  const count = report.problems.length;
  const verdict = report.ok ? "ok" : `${count} ${count === 1 ? "problem" : "problems"}`;
  printLine(
    `${report.path}: ${formatBytes(report.bytes)}, ${report.tensors.length} tensors, ${verdict}`,
  );
}

function figure(value: number | undefined): string {
  return value === undefined ? "-" : value.toPrecision(4);
}
