// Objects that are compiled for one instruction set must not share code with the rest of the program: the linker keeps
// one copy of a weak symbol, and if that copy is theirs, a processor without the instructions stops. Nor may they show
// more than their table.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "build-native");
const isaFile = /(x86|arm)_\w+\.cc\.o$/;
/** The tables: a family has one or two. */
const maxDefined = 2;

if (process.platform === "win32") {
  console.log("nm is not there on Windows; the other systems check the same sources");
  process.exit(0);
}

const objects = readdirSync(folder, { recursive: true }).filter((name) => isaFile.test(name));
const problems = [];
if (objects.length === 0) problems.push(`no ISA objects in ${folder}: build the addon first`);
for (const object of objects) {
  const lines = execFileSync("nm", ["-C", join(folder, object)], { encoding: "utf8" }).split("\n");
  // V, W: weak. T, D, B, R, u: defined and visible to the linker.
  const weak = lines.filter((line) => / [VvWwu] /.test(line));
  const defined = lines.filter((line) => / [TDBRG] /.test(line));
  for (const line of weak) problems.push(`${object}: weak symbol ${line.slice(19)}`);
  if (defined.length > maxDefined) {
    problems.push(`${object}: defines ${defined.length} symbols, and two tables are enough`);
  }
}

for (const problem of problems) console.log(problem);
console.log(`${objects.length} ISA objects`);
process.exitCode = problems.length === 0 ? 0 : 1;
