// The checks besides the tests: `npm run check`, or `npm run check -- lint layers` for some of them. Prints a line for
// each; what a failing one has to say stands before it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const node = process.execPath;
const bin = (name) => join(root, "node_modules", ".bin", name);

/** Name, and the commands that have to succeed one after the other. */
const checks = [
  ["format", [[node, "scripts/format.mjs", "--check"]]],
  ["lint", [[bin("eslint"), "."]]],
  ["types", [[bin("tsc"), "-p", "tsconfig.json", "--noEmit"]]],
  ["layers", [[node, "scripts/check-layers.mjs"]]],
  ["rules", [[node, "scripts/check-rules.mjs"]]],
  [
    "isa-objects",
    [
      [node, "scripts/build.mjs"],
      [node, "scripts/check-isa-objects.mjs"],
    ],
  ],
  ["asan", native("asan")],
  // Only what has threads; the others would take minutes to show nothing.
  ["tsan", native("tsan", [{}], "base|backends")],
  // Two processors: one with the baseline alone, one with everything that the emulator has.
  ["arm64", native("arm64", [{ QEMU_CPU: "cortex-a72" }, { QEMU_CPU: "max" }])],
];

/** Configures, builds and runs the native tests of a preset that `tests` matches, once per environment. */
function native(preset, environments = [{}], tests = ".") {
  const folder = `build-${preset}`;
  return [
    ["cmake", "--preset", preset],
    ["cmake", "--build", folder, "--parallel", "2"],
    ...environments.map((env) => [
      ...[env, "ctest", "--test-dir", folder, "--output-on-failure", "--parallel", "2"],
      ...["--tests-regex", tests],
    ]),
  ];
}

/** Programs that are not everywhere, and the package that has them. */
const packages = {
  cmake: "cmake",
  "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
  "qemu-aarch64-static": "qemu-user-static",
};

function run(command) {
  const env = typeof command[0] === "object" ? command[0] : {};
  const [program, ...args] = typeof command[0] === "object" ? command.slice(1) : command;
  const result = spawnSync(program, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}`;
  return { ok: result.status === 0, output };
}

function missing(names) {
  return names.filter((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).error);
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !checks.some(([known]) => known === name));
if (unknown.length > 0) {
  console.error(
    `check: no check named ${unknown.join(", ")}; there are ${checks.map(([name]) => name).join(", ")}`,
  );
  process.exit(2);
}

let failed = 0;
const chosen = checks.filter(([name]) => wanted.length === 0 || wanted.includes(name));
for (const [name, commands] of chosen) {
  const began = performance.now();
  const absent = name === "arm64" ? missing(Object.keys(packages)) : [];
  let ok = absent.length === 0;
  if (!ok) console.log(`install ${absent.map((program) => packages[program]).join(" ")}`);
  for (const command of ok ? commands : []) {
    const result = run(command);
    if (result.ok) continue;
    console.log(result.output);
    ok = false;
    break;
  }
  if (!ok) failed += 1;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${ok ? "ok    " : "FAILED"} ${name.padEnd(12)} ${seconds} s`);
}
console.log(`checks: ${chosen.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
