// Two engines, or two builds of Nibble, on the same models, run by run in turn, so that what disturbs the machine
// disturbs both: `node scripts/bench-compare.mjs MODEL... [--engines native,llama.cpp] [--builds OLD,NEW]
// [--tests pp512,tg128,pp512@4096] [--rounds 7] [--threads N]`. A build is a checkout with dist and the addon in it. Prints
// Markdown: the median tokens per second of both, the median of the rounds' ratios with the range in which the middle
// half of them lies, and the share of what the machine allows (`nibble bench --machine`).
import { basename, resolve } from "node:path";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

// --serve is for the processes that this one starts.
const { values, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    engines: { type: "string", default: "native,llama.cpp" },
    builds: { type: "string" },
    tests: { type: "string", default: "pp512,tg128" },
    rounds: { type: "string", default: "7" },
    threads: { type: "string" },
    serve: { type: "boolean", default: false },
  },
});

/** One repetition of a test for every line that comes in, behind one that does not count. */
async function serve(index, model, engine) {
  const { bench } = await import(index);
  for await (const line of createInterface({ input: process.stdin })) {
    const threads = values.threads && { threads: Number(values.threads) };
    const options = { engines: [engine], tests: [JSON.parse(line)], repetitions: 1, ...threads };
    const report = await bench(model, options);
    console.log(JSON.stringify({ ...report.results[0], name: report.model }));
  }
}

function contestants() {
  const here = resolve(import.meta.dirname, "..");
  const [engine] = values.engines.split(",");
  if (values.builds === undefined) {
    return values.engines.split(",").map((each) => ({ title: each, engine: each, root: here }));
  }
  return values.builds
    .split(",")
    .map((root) => ({ title: basename(resolve(root)), engine, root: resolve(root) }));
}

function start({ root, engine }, model) {
  const index = pathToFileURL(resolve(root, "dist/index.js")).href;
  const threads = values.threads === undefined ? [] : ["--threads", values.threads];
  const args = [fileURLToPath(import.meta.url), "--serve", index, model, engine, ...threads];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    stop: () => child.stdin.end(),
    async run(test) {
      child.stdin.write(`${JSON.stringify(test)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${engine} of ${root} ended`);
      return JSON.parse(value);
    },
  };
}

function testOf(name) {
  const [, kind, tokens, depth = "0"] = /^(pp|tg)(\d+)(?:@(\d+))?$/.exec(name) ?? [];
  if (kind === undefined) throw new Error(`a test is pp512, tg128 or tg128@4096, not ${name}`);
  return { kind, tokens: Number(tokens), depth: Number(depth) };
}

/** The value below which that share of the numbers lies. */
function quantile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))];
}

async function compare() {
  const [first, second] = contestants();
  console.log(
    `| model | test | ${first.title}, t/s | ${second.title}, t/s | ratio | middle half | of the machine's limit |`,
  );
  console.log("|---|---|---:|---:|---:|---:|---:|");
  for (const model of models) {
    const pair = [start(first, model), start(second, model)];
    for (const name of values.tests.split(",")) {
      const test = testOf(name);
      const runs = [[], []];
      // The first round warms caches and clocks.
      for (let round = 0; round <= Number(values.rounds); round += 1) {
        for (const [i, contestant] of pair.entries()) {
          const result = await contestant.run(test);
          if (round > 0) runs[i].push(result);
        }
      }
      const speeds = runs.map((all) => all.map(({ tokensPerSecond }) => tokensPerSecond));
      const ratios = speeds[0].map((speed, i) => speed / speeds[1][i]);
      const share = quantile(
        runs[0].map((run) => run.tokensPerSecond / run.limitTokensPerSecond),
        0.5,
      );
      const cells = [
        runs[0][0].name.trim(),
        name,
        ...speeds.map((all) => quantile(all, 0.5).toFixed(1)),
        quantile(ratios, 0.5).toFixed(2),
        `${quantile(ratios, 0.25).toFixed(2)} to ${quantile(ratios, 0.75).toFixed(2)}`,
        `${(100 * share).toFixed(0)} %`,
      ];
      console.log(`| ${cells.join(" | ")} |`);
    }
    for (const { stop } of pair) stop();
  }
}

if (values.serve) await serve(...models);
else await compare();
