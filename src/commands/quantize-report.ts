import type { QuantizePlan } from "../plan/types.js";
import type { QuantizedPart, QuantizedTensor, QuantizeReport } from "../quantize/quantize.js";
import {
  formatBytes,
  formatDuration,
  formatNumber,
  formatRate,
  printLine,
  printTable,
  printWarning,
} from "./print.js";

/** The plan of `--dry-run`: a row per tensor, then the size of the file to the byte. */
export async function printPlan(plan: QuantizePlan, output: string): Promise<void> {
  const { outputParts } = await import("../quantize/output-parts.js");
  const { summarizePlan } = await import("../plan/summary.js");
  printTable(
    ["tensor", "shape", "from", "to", "bytes", "reason"],
    plan.tensors.map(({ name, shape, from, to, bytes, reason }) => [
      name,
      shape.join(" x "),
      from,
      to,
      formatNumber(bytes),
      reason,
    ]),
    { align: ["left", "right", "left", "left", "right", "left"] },
  );
  printLine();
  for (const warning of plan.warnings) printWarning(warning);
  const parts = outputParts(plan, output).map(({ path, tensors, layout }) => ({
    ...{ path, tensors: tensors.length, bytes: layout.totalBytes },
  }));
  const totalBytes = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  if (parts.length > 1) printParts(parts);
  const size = `${formatNumber(totalBytes)} bytes (${formatBytes(totalBytes)})`;
  const bits = summarizePlan(plan).bitsPerWeight.toFixed(2);
  const what = parts.length > 1 ? `${parts.length} files` : output;
  printLine(`${what} would have ${size}, ${bits} bits per weight. Nothing was written.`);
}

function printParts(parts: readonly QuantizedPart[]): void {
  printTable(
    ["file", "tensors", "bytes"],
    parts.map(({ path, tensors, bytes }) => [path, formatNumber(tensors), formatNumber(bytes)]),
    { align: ["left", "right", "right"] },
  );
  printLine();
}

/** Tensors that are listed as the worst. */
const shownTensors = 5;

/** What was written, how fast, and which tensors are farthest from their source. */
export function printQuantizeReport(report: QuantizeReport): void {
  const { output, parts, recipe, bytes, sourceBytes, bitsPerWeight, seconds, threads, isa } =
    report;
  const shrunk = `${formatBytes(sourceBytes)} -> ${formatBytes(bytes)}`;
  if (parts !== undefined) printParts(parts);
  const what = parts === undefined ? output : `${parts.length} files`;
  printLine(`${what}: ${recipe}, ${shrunk}, ${bitsPerWeight.toFixed(2)} bits per weight`);
  const speed = seconds > 0 ? `, ${formatRate(sourceBytes / seconds)} of source` : "";
  const machine = `${threads} ${threads === 1 ? "thread" : "threads"}, ${isa}`;
  const resumed = report.resumedTensors > 0 ? `, ${report.resumedTensors} tensors resumed` : "";
  const overwrite = report.overwritten ? ", --overwrite" : "";
  printLine(`written in ${formatDuration(seconds)}${speed} (${machine}${resumed}${overwrite})`);
  if (!report.verified) printWarning("not verified (--no-verify)");
  else printWorst(report.tensors);
}

function printWorst(tensors: readonly QuantizedTensor[]): void {
  const changed = tensors.filter(({ relativeRmse = 0 }) => relativeRmse > 0);
  if (changed.length === 0) {
    return printLine("verified: every tensor has exactly the values of its source");
  }
  changed.sort((a, b) => (b.relativeRmse ?? 0) - (a.relativeRmse ?? 0));
  printLine("verified; the largest errors, relative to the size of the weights:");
  printTable(
    ["tensor", "from", "to", "error", "largest", "reason"],
    changed
      .slice(0, shownTensors)
      .map(({ name, from, to, relativeRmse = 0, maxAbsError = 0, reason }) => [
        name,
        from,
        to,
        `${(100 * relativeRmse).toPrecision(3)} %`,
        maxAbsError.toPrecision(3),
        reason,
      ]),
    { align: ["left", "left", "left", "right", "right", "left"] },
  );
}
