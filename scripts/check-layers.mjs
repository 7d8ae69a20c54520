// Which room may see which: docs/architecture.md shows the picture, this holds the code to it.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** For each room of src the rooms that it may import from, besides itself. */
const base = ["errors", "formats", "progress"];
const src = {
  errors: [],
  formats: [],
  progress: [],
  bpe: base,
  sources: [...base, "bpe"],
  native: base,
  tokenizer: [...base, "bpe", "sources"],
  imatrix: [...base, "sources"],
  plan: [...base, "sources", "imatrix"],
  quantize: [...base, "sources", "imatrix", "plan", "native"],
  run: [...base, "sources", "tokenizer", "imatrix", "plan", "native"],
  commands: [...base, "sources", "tokenizer", "imatrix", "plan", "native", "quantize", "run"],
  cli: ["commands"],
  index: [...base, "sources", "tokenizer", "imatrix", "plan", "quantize", "run"],
};

/** The same for the native rooms. */
const native = {
  base: ["testing"],
  testing: ["base", "formats", "kernels"],
  formats: ["base"],
  kernels: ["base", "formats", "testing"],
  backends: ["base", "formats", "kernels", "testing"],
  encodings: ["base", "formats", "testing"],
  stream: ["base", "formats", "kernels", "encodings"],
  model: ["base", "formats", "backends"],
  eval: ["base", "formats", "kernels", "backends", "model"],
  napi: ["base", "formats", "kernels", "encodings", "stream", "model", "eval"],
};

/** Modules that one place alone may import. */
const only = [
  { pattern: /^node-llama-cpp$/, file: "src/run/engine-llama-cpp.ts" },
  { pattern: /^napi\.h$/, file: "native/napi/" },
  { pattern: /^(immintrin|arm_neon)\.h$/, file: "native/kernels/" },
];

const problems = [];

function files(folder, ending) {
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => posix.join(folder, name.replaceAll("\\", "/")))
    .filter((name) => ending.test(name));
}

function roomOf(file, folder) {
  return file
    .slice(folder.length + 1)
    .split("/")[0]
    .replace(/\.ts$/, "");
}

function check(folder, ending, allowed, imports) {
  for (const file of files(folder, ending)) {
    const room = roomOf(file, folder);
    if (allowed[room] === undefined) problems.push(`${file}: the room ${room} is unknown`);
    for (const { target, name } of imports(file, readFileSync(join(root, file), "utf8"))) {
      for (const { pattern, file: home } of only) {
        if (pattern.test(name) && !file.startsWith(home))
          problems.push(`${file}: only ${home} may use ${name}`);
      }
      if (target === undefined) continue;
      const other = roomOf(target, folder);
      if (other !== room && !allowed[room]?.includes(other)) {
        problems.push(`${file}: ${room} may not see ${other} (${name})`);
      }
    }
  }
}

check("src", /\.ts$/, src, (file, text) =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, name]) => ({
    name,
    target: name.startsWith(".")
      ? posix.join(dirname(file), name.replace(/\.js$/, ".ts"))
      : undefined,
  })),
);
check("native", /\.(h|cc)$/, native, (_file, text) =>
  [...text.matchAll(/^#include\s+["<]([^">]+)[">]/gm)].map(([line, name]) => ({
    name,
    target: line.includes('"') && name.includes("/") ? `native/${name}` : undefined,
  })),
);

for (const problem of problems) console.log(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
