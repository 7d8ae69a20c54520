// How fast quantizing is, against a plain copy of the same file, and how much memory it takes:
// `node scripts/bench-quantize.mjs [--gib 1 | --model FILE] [--types Q4_0,Q4_K_M] [--repetitions 5] [--folder TMP]
// [--threads N] [--imatrix FILE] [--peer LLAMA_QUANTIZE]`. Without --model it makes one of F32 and quantizes all of it to
// the type; with one it follows the recipe. --peer is llama.cpp's program, which makes the same
// files. Prints Markdown. Every row of a round runs in turn, so that what slows the machine down slows all of them; the
// median round counts.
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
    model: { type: "string" },
    types: { type: "string", default: "F16,BF16,Q8_0,Q6_K,Q5_1,Q5_0,Q4_1,Q4_0" },
    imatrix: { type: "string" },
    peer: { type: "string" },
  },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(values.folder, "nibble-bench-"));
const source = values.model ?? join(folder, "source.gguf");
const output = join(folder, "output.gguf");
const peerOutput = join(folder, "peer.gguf");
const types = values.types.split(",");
const isPure = values.model === undefined;

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
  const [source, options] = process.argv.slice(2);
  const began = performance.now();
  await quantize(source, JSON.parse(options));
  const seconds = (performance.now() - began) / 1000;
  console.log(JSON.stringify({ seconds, mib: process.resourceUsage().maxRSS / 1024, before: before / 1024 }));
`;

function quantize(type) {
  rmSync(output, { force: true });
  const module = new URL("../dist/index.js", import.meta.url).href;
  const options = {
    ...{ recipe: type, output, overwrite: true, verify: false, pure: isPure },
    ...(values.threads && { threads: Number(values.threads) }),
    ...(values.imatrix && { imatrix: values.imatrix }),
  };
  const args = ["--input-type=module", "-e", child, module, source, JSON.stringify(options)];
  return JSON.parse(succeed(process.execPath, args));
}

/** Seconds of llama.cpp's program for the same file; reading the model and writing included, as with ours. */
function quantizeByPeer(type) {
  rmSync(peerOutput, { force: true });
  const options = [
    ...(isPure ? ["--pure"] : []),
    ...(values.imatrix ? ["--imatrix", values.imatrix] : []),
  ];
  const began = performance.now();
  succeed(values.peer, [
    ...options,
    source,
    peerOutput,
    type,
    values.threads ?? String(cpus().length),
  ]);
  return (performance.now() - began) / 1000;
}

function succeed(program, args) {
  const { stdout, stderr, status } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** The columns of the table, from all runs of a type and the copies of the same rounds. */
const columns = [
  ["s", ({ ours }) => median(ours.map((run) => run.seconds)).toFixed(1)],
  ["GB/s of source", ({ ours }) => rate(median(ours.map((run) => run.seconds)))],
  [
    "share of the copy",
    ({ ours }) => median(ours.map((run, i) => copies[i] / run.seconds)).toFixed(2),
  ],
  [
    "memory above Node's, MiB",
    ({ ours }) => Math.max(...ours.map((run) => run.mib - run.before)).toFixed(0),
  ],
  ...(values.peer
    ? [
        ["llama-quantize, s", ({ theirs }) => median(theirs).toFixed(1)],
        [
          "times as fast",
          ({ ours, theirs }) => median(ours.map((run, i) => theirs[i] / run.seconds)).toFixed(1),
        ],
      ]
    : []),
];
const copies = [];
let bytes = 0;

function rate(seconds) {
  return (bytes / seconds / 1e9).toFixed(2);
}

/** F32 of `--gib`, in eight matrices. */
function makeSource() {
  const perRow = 4096;
  const rows = Math.round((Number(values.gib) * 2 ** 30) / (perRow * 4) / 8);
  const args = ["--type", "F32", "--columns", perRow, "--rows", rows * 8].map(String);
  succeed(process.execPath, [join(root, "scripts/make-random-model.mjs"), source, ...args]);
}

try {
  if (values.model === undefined) makeSource();
  bytes = statSync(source).size;
  const runs = new Map(types.map((type) => [type, { ours: [], theirs: [] }]));
  for (let i = 0; i < Number(values.repetitions); i += 1) {
    copies.push(copy());
    for (const type of types) {
      const { ours, theirs } = runs.get(type);
      ours.push(quantize(type));
      if (values.peer) theirs.push(quantizeByPeer(type));
    }
  }
  const size = `${(bytes / 2 ** 30).toFixed(2)} GiB of ${values.model ? "model" : "F32"}`;
  console.log(`${size}, ${values.threads ?? cpus().length} threads, ${cpus()[0].model.trim()}\n`);
  console.log(`| | ${columns.map(([name]) => name).join(" | ")} |`);
  console.log(`|---|${"---:|".repeat(columns.length)}`);
  const copySeconds = median(copies);
  console.log(
    `| plain copy, synced | ${copySeconds.toFixed(1)} | ${rate(copySeconds)} | 1.00 ${"|".repeat(columns.length - 2)}`,
  );
  for (const [type, all] of runs) {
    console.log(`| ${type} | ${columns.map(([, cell]) => cell(all)).join(" | ")} |`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
