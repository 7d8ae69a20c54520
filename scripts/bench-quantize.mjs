// How fast quantizing is, against a plain copy of the same file, and how much memory it takes:
// `node scripts/bench-quantize.mjs [--gib 1] [--repetitions 5] [--folder TMP] [--threads N]`. Prints Markdown. Every row
// of a round runs in turn, so that what slows the machine down slows all of them; the median round counts.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    gib: { type: "string", default: "1" },
    repetitions: { type: "string", default: "5" },
    folder: { type: "string", default: tmpdir() },
    threads: { type: "string" },
  },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(values.folder, "nibble-bench-"));
const source = join(folder, "source.gguf");
const output = join(folder, "output.gguf");
const types = ["F16", "BF16", "Q8_0", "Q6_K", "Q5_1", "Q5_0", "Q4_1", "Q4_0"];

/** Seconds to read the source, write it a mebibyte at a time, and sync: what quantizing does, without the quantizing. */
function copy() {
  rmSync(output, { force: true });
  const began = performance.now();
  const buffer = Buffer.alloc(1 << 20);
  const [from, to] = [openSync(source, "r"), openSync(output, "w")];
  for (let length; (length = readSync(from, buffer)) > 0;) writeSync(to, buffer, 0, length);
  fsyncSync(to);
  closeSync(from);
  closeSync(to);
  return (performance.now() - began) / 1000;
}

/** One run in a process of its own, which prints its seconds and its peak of resident memory. */
const child = `
  const { quantize } = await import(process.argv[1]);
  const before = process.resourceUsage().maxRSS;
  const [source, output, recipe, threads] = process.argv.slice(2);
  const options = { recipe, output, overwrite: true, verify: false, pure: true };
  const began = performance.now();
  await quantize(source, { ...options, ...(threads && { threads: Number(threads) }) });
  const seconds = (performance.now() - began) / 1000;
  console.log(JSON.stringify({ seconds, mib: process.resourceUsage().maxRSS / 1024, before: before / 1024 }));
`;

function quantize(type) {
  rmSync(output, { force: true });
  const module = new URL("../dist/index.js", import.meta.url).href;
  const args = ["--input-type=module", "-e", child, module, source, output, type];
  const { stdout, stderr, status } = spawnSync(process.execPath, [...args, values.threads ?? ""], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

try {
  const columns = 4096;
  const rows = Math.round((Number(values.gib) * 2 ** 30) / (columns * 4) / 8);
  const args = ["--type", "F32", "--columns", columns, "--rows", rows * 8].map(String);
  spawnSync(process.execPath, [join(root, "scripts/make-random-model.mjs"), source, ...args]);
  const bytes = statSync(source).size;
  const copies = [];
  const runs = new Map(types.map((type) => [type, []]));
  for (let i = 0; i < Number(values.repetitions); i += 1) {
    copies.push(copy());
    for (const type of types) runs.get(type).push(quantize(type));
  }
  const copySeconds = median(copies);
  const rate = (seconds) => (bytes / seconds / 1e9).toFixed(2);
  console.log(
    `${(bytes / 2 ** 30).toFixed(2)} GiB of F32, ${cpus().length} cores, ${cpus()[0].model.trim()}\n`,
  );
  console.log("| | GB/s of source | share of the copy | memory above Node's, MiB |");
  console.log("|---|---:|---:|---:|");
  console.log(`| plain copy, synced | ${rate(copySeconds)} | 1.00 | |`);
  for (const [type, all] of runs) {
    const seconds = median(all.map((run) => run.seconds));
    // Round by round against its own copy.
    const share = median(all.map((run, i) => copies[i] / run.seconds));
    const memory = Math.max(...all.map((run) => run.mib - run.before));
    console.log(`| ${type} | ${rate(seconds)} | ${share.toFixed(2)} | ${memory.toFixed(0)} |`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
