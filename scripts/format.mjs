// Formats everything: `--write` changes the files, `--check` fails where one would change.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const write = process.argv.includes("--write");
const bin = (name) => join(root, "node_modules", ".bin", name);
const native = readdirSync(join(root, "native"), { recursive: true })
  .filter((name) => /\.(h|cc)$/.test(name))
  .map((name) => join("native", name));

const commands = [
  [bin("prettier"), write ? "--write" : "--check", "--log-level", "warn", "."],
  [bin("clang-format"), ...(write ? ["-i"] : ["--dry-run", "--Werror"]), ...native],
];
const results = commands.map(([program, ...args]) =>
  spawnSync(program, args, { cwd: root, stdio: "inherit" }),
);
process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1;
