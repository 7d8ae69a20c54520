// The rules of the house that neither a compiler nor a linter knows: lengths of files, words that mean unfinished work,
// paths of one machine, aborts in native code.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const maxLines = 800;
const medianLines = 150;
const ninetiethLines = 400;

const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
});
const tree = listed.split("\n").filter(Boolean);
const text = (file) => readFileSync(join(root, file), "utf8");
const code = tree.filter((file) => /^(src|native)\/.*\.(ts|cc|h)$/.test(file));
const problems = [];

const lengths = code
  .map((file) => ({ file, lines: text(file).split("\n").length }))
  .sort((a, b) => a.lines - b.lines);
for (const { file, lines } of lengths.filter(({ lines }) => lines > maxLines)) {
  problems.push(`${file}: ${lines} lines, more than ${maxLines}`);
}
const at = (share) => lengths[Math.floor((lengths.length - 1) * share)]?.lines ?? 0;
if (at(0.5) > medianLines)
  problems.push(`the median file has ${at(0.5)} lines, more than ${medianLines}`);
if (at(0.9) > ninetiethLines)
  problems.push(`a tenth of the files have more than ${ninetiethLines} lines`);

/** Where to look, what for, and what it means. */
const words = [
  [(file) => /^(src|native|test)\//.test(file), /\b(TODO|FIXME|XXX|HACK)\b/, "unfinished work"],
  [
    (file) => /^test\//.test(file),
    /\b(it|describe|test)\.(only|todo)\(/,
    "a test that is alone, or not there",
  ],
  [
    (file) => /^native\/.*(?<!test|bench)\.cc$/.test(file),
    /\b(abort|exit|_Exit)\(/,
    "an abort in native code",
  ],
  [
    (file) => !/\.(gguf|safetensors|svg)$|package-lock|check-rules/.test(file),
    /(?<![.\w])\/(work|root|farm|home|tmp)\/[a-z.]/,
    "a path of one machine",
  ],
];
for (const file of tree) {
  for (const [applies, pattern, meaning] of words) {
    if (!applies(file)) continue;
    const line = text(file)
      .split("\n")
      .findIndex((one) => pattern.test(one));
    if (line >= 0) problems.push(`${file}:${line + 1}: ${meaning}`);
  }
}

for (const problem of problems) console.log(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
