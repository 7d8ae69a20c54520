import type { MetadataEntry } from "../sources/model-info.js";
import type { DiffReport, TensorDifference } from "../quantize/diff-models.js";
import { valueText } from "./inspect.js";
import { printable, printJson, printLine, printTable } from "./print.js";
import { callOptions, defineCommand } from "./shared.js";

export const diffCommand = defineCommand(
  "diff <a> <b>",
  "compare two models: metadata, types, shapes, error per tensor",
  (yargs) =>
    yargs
      .positional("a", {
        type: "string",
        demandOption: true,
        describe: "a GGUF file, or a Hugging Face directory; errors are relative to it",
      })
      .positional("b", { type: "string", demandOption: true, describe: "a GGUF file" })
      .example("$0 diff model-F16.gguf model-Q4_0.gguf", "what quantizing changed"),
  async ({ a, b }, context) => {
    const { diffModels } = await import("../quantize/diff-models.js");
    const report = await diffModels(a, b, callOptions(context));
    if (context.json) printJson(report);
    else printReport(report);
  },
);

function printReport(report: DiffReport): void {
  if (report.same) {
    printLine(`no difference: ${report.tensors.length} tensors and all metadata are the same`);
    return;
  }
  if (report.metadata.length > 0) {
    const rows = report.metadata.map(({ key, a, b }) => [key, entryText(a), entryText(b)]);
    printTable(["key", "A", "B"], rows);
    printLine();
  }
  const differing = report.tensors.filter(({ same }) => !same);
  if (differing.length > 0) {
    printTable(
      ["tensor", "A", "B", "rel. error", "max error"],
      differing.map((tensor) => [
        tensor.name,
        ...tensorTexts(tensor),
        figure(tensor.relativeRmse),
        figure(tensor.maxAbsError),
      ]),
      { align: ["left", "left", "left", "right", "right"] },
    );
    printLine();
  }
  for (const name of report.onlyInA) printLine(`only in A: ${printable(name)}`);
  for (const name of report.onlyInB) printLine(`only in B: ${printable(name)}`);
  printLine(
    `${report.metadata.length} keys and ${differing.length} of ${report.tensors.length} tensors differ; ` +
      `${report.onlyInA.length} tensors only in A, ${report.onlyInB.length} only in B`,
  );
}

function entryText(entry: MetadataEntry | undefined): string {
  if (entry === undefined) return "-";
  const { type, elementType, value } = entry;
  const length = typeof value === "object" ? `${elementType ?? ""}[${value.length}]` : type;
  return `${valueText(entry, false)} (${length})`;
}

/** Type and, where they differ, shape of both. */
function tensorTexts({ types, shapes }: TensorDifference): readonly string[] {
  const reshaped = shapes[0].join() !== shapes[1].join();
  return types.map((type, i) => (reshaped ? `${type} ${shapes[i]?.join(" x ") ?? ""}` : type));
}

function figure(value: number | undefined): string {
  return value === undefined ? "-" : value.toPrecision(4);
}
