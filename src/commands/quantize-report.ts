import type { QuantizePlan } from "../plan/types.js";
import type { QuantizedTensor, QuantizeReport } from "../quantize/quantize.js";
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
  const { layoutGguf } = await import("../quantize/layout.js");
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
  const tensors = plan.tensors.map(({ name, to, shape, bytes }) => ({
    name,
    type: to,
    shape,
    bytes,
  }));
  const { totalBytes } = layoutGguf(plan.metadata, tensors);
  const size = `${formatNumber(totalBytes)} bytes (${formatBytes(totalBytes)})`;
  const bits = summarizePlan(plan).bitsPerWeight.toFixed(2);
  printLine(`${output} would have ${size}, ${bits} bits per weight. Nothing was written.`);
}

/** Tensors that are listed as the worst. */
const shownTensors = 5;

/** What was written, how fast, and which tensors are farthest from their source. */
export function printQuantizeReport(report: QuantizeReport): void {
  const { output, recipe, bytes, sourceBytes, bitsPerWeight, seconds, threads, isa } = report;
  const shrunk = `${formatBytes(sourceBytes)} -> ${formatBytes(bytes)}`;
  printLine(`${output}: ${recipe}, ${shrunk}, ${bitsPerWeight.toFixed(2)} bits per weight`);
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
