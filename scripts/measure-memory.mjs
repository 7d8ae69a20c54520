// What a conversion needs besides Node itself: the peak of resident memory of a process that quantizes and verifies, less
// what it had before.
//   node scripts/measure-memory.mjs MODEL OUTPUT [--type Q4_0]
// MODEL as of make-random-directory.mjs or make-random-model.mjs, or a real one. Prints JSON (MiB, seconds). Needs
// `npm run build`.
import { parseArgs } from "node:util";
import { quantize } from "../dist/index.js";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { type: { type: "string", default: "Q4_0" } },
});
const [model, output] = positionals;
if (model === undefined || output === undefined) {
  console.error("usage: measure-memory MODEL OUTPUT [--type Q4_0]");
  process.exit(2);
}
const peak = () => process.resourceUsage().maxRSS / 1024;
const before = peak();
const report = await quantize(model, { recipe: options.type, output });
const after = peak();
const mib = (bytes) => Math.round(bytes / 2 ** 20);
console.log(
  JSON.stringify({
    source: mib(report.sourceBytes),
    output: mib(report.bytes),
    threads: report.threads,
    seconds: Math.round(report.seconds * 10) / 10,
    verifySeconds: Math.round(report.verifySeconds * 10) / 10,
    before: Math.round(before),
    peak: Math.round(after),
    above: Math.round(after - before),
  }),
);
