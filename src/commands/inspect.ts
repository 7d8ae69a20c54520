import type { MetadataEntry, ModelInfo, Scalar, TensorInfo } from "../sources/model-info.js";
import { formatBytes, formatNumber, printable, printJson, printLine, printTable } from "./print.js";
import { defineCommand } from "./shared.js";

export const inspectCommand = defineCommand(
  "inspect <model>",
  "show metadata, tensors, types and sizes",
  (yargs) =>
    yargs
      .positional("model", {
        type: "string",
        demandOption: true,
        describe: "a GGUF file, or a Hugging Face directory",
      })
      .options({
        tensors: { type: "boolean", default: false, describe: "list every tensor" },
        all: {
          type: "boolean",
          default: false,
          describe: "list every tensor, and print long values whole",
        },
      }),
  async (argv, { signal, json }) => {
    const { openSource } = await import("../sources/open.js");
    const model = await openSource(argv.model, { signal });
    if (json) {
      printJson(model);
      return;
    }
    printMetadata(model.metadata, argv.all);
    printLine();
    if (argv.tensors || argv.all) {
      printTensors(model.tensors);
      printLine();
    }
    printTypes(model.tensors);
    printLine();
    printLine(sizeLine(model));
  },
);

/** Keys, types and values: a table, or where they are wanted whole, a line for each. */
export function printMetadata(metadata: readonly MetadataEntry[], whole: boolean): void {
  const rows = metadata.map((entry) => [entry.key, typeName(entry), valueText(entry, whole)]);
  if (!whole) return printTable(["key", "type", "value"], rows);
  // A vocabulary in one line would make every row of a table as wide.
  for (const [key, type, value] of rows) printLine(printable(`${key} (${type}): ${value}`));
}

function typeName({ type, elementType, value }: MetadataEntry): string {
  if (type !== "array") return type;
  return `${elementType ?? ""}[${Array.isArray(value) ? value.length : ""}]`;
}

/** Elements of an array that are shown, and characters of a value: what fits a line of any terminal. */
const shownElements = 8;
const shownCharacters = 200;

/** A metadata value in one line; abbreviated, unless it is wanted whole. */
export function valueText({ type, elementType, value }: MetadataEntry, whole: boolean): string {
  if (typeof value !== "object") return shorten(scalarText(value, type), whole);
  const shown = whole ? value : value.slice(0, shownElements);
  const texts = shown.map((item) =>
    typeof item === "string" ? JSON.stringify(item) : scalarText(item, elementType),
  );
  return shorten(`${texts.join(", ")}${value.length > shown.length ? ", ..." : ""}`, whole);
}

/** An F32 is shown by the seven digits that it has: 1e-5 is not 0.000009999999747378752. */
function scalarText(value: Scalar, type: MetadataEntry["type"] | undefined): string {
  return String(type === "f32" && typeof value === "number" ? Number(value.toPrecision(7)) : value);
}

function shorten(text: string, whole: boolean): string {
  return whole || text.length <= shownCharacters ? text : `${text.slice(0, shownCharacters)}...`;
}

function printTensors(tensors: readonly TensorInfo[]): void {
  printTable(
    ["tensor", "type", "shape", "bytes"],
    tensors.map(({ name, type, shape, bytes }) => [
      name,
      type,
      shape.join(" x "),
      formatNumber(bytes),
    ]),
    { align: ["left", "left", "right", "right"] },
  );
}

function printTypes(tensors: readonly TensorInfo[]): void {
  const types = new Map<string, { count: number; bytes: number; weights: number }>();
  for (const tensor of tensors) {
    const row = types.get(tensor.type) ?? { count: 0, bytes: 0, weights: 0 };
    row.count += 1;
    row.bytes += tensor.bytes;
    row.weights += weightsOf(tensor);
    types.set(tensor.type, row);
  }
  const rows = [...types].sort(([, a], [, b]) => b.bytes - a.bytes);
  printTable(
    ["type", "tensors", "weights", "bytes", "bits per weight"],
    rows.map(([type, { count, weights, bytes }]) => [
      type,
      formatNumber(count),
      formatNumber(weights),
      formatNumber(bytes),
      bitsPerWeight(bytes, weights),
    ]),
    { align: ["left", "right", "right", "right", "right"] },
  );
}

function sizeLine({ tensors, files }: ModelInfo): string {
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const weights = tensors.reduce((sum, tensor) => sum + weightsOf(tensor), 0);
  const fileBytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const where = files.length === 1 ? "one file" : `${files.length} files`;
  return [
    `${formatNumber(tensors.length)} tensors`,
    `${formatNumber(weights)} weights`,
    `${bitsPerWeight(bytes, weights)} bits per weight`,
    `${formatBytes(fileBytes)} in ${where}`,
  ].join(", ");
}

function weightsOf({ shape }: TensorInfo): number {
  return shape.reduce((product, length) => product * length, 1);
}

function bitsPerWeight(bytes: number, weights: number): string {
  return weights > 0 ? ((8 * bytes) / weights).toFixed(2) : "0.00";
}
