// Builds the addon with cmake-js into build-native/ and copies it to build/Release/nibble.node. node-gyp wipes build/,
// and its make variables must not reach CMake's, so both are kept apart.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
const buildFolder = "build-native";

/** How to get cmake and a C++ compiler, by system; the first row whose test holds is shown. */
const remedies = [
  [() => process.platform === "darwin", "xcode-select --install && brew install cmake"],
  [
    () => process.platform === "win32",
    "winget install Kitware.CMake Microsoft.VisualStudio.2022.BuildTools",
  ],
  [() => runs("apt-get"), "sudo apt-get install -y cmake g++ make"],
  [() => runs("dnf"), "sudo dnf install -y cmake gcc-c++ make"],
  [() => runs("apk"), "apk add cmake g++ make linux-headers"],
  [() => runs("pacman"), "sudo pacman -S --needed cmake gcc make"],
  [() => true, "install cmake 3.18 or later and a C++17 compiler"],
];

function runs(command, args = ["--version"]) {
  return spawnSync(command, args, { stdio: "ignore" }).error === undefined;
}

function missingTools() {
  const compilers = [process.env.CXX, "c++", "g++", "clang++"].filter(Boolean);
  const missing = [];
  if (!runs("cmake")) missing.push("cmake");
  // On Windows CMake finds Visual Studio by itself.
  if (process.platform !== "win32" && !compilers.some((name) => runs(name)))
    missing.push("a C++ compiler");
  return missing;
}

function build() {
  const missing = missingTools();
  if (missing.length > 0) {
    const remedy = remedies.find(([applies]) => applies())[1];
    console.error(
      `nibble: building the addon needs ${missing.join(" and ")}; get it with: ${remedy}`,
    );
    return 1;
  }
  const env = { ...process.env };
  for (const name of ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"]) delete env[name];
  const cmakeJs = join(dirname(require.resolve("cmake-js/package.json")), "bin", "cmake-js");
  // Two jobs: every machine has them, and compilers need memory.
  const args = [cmakeJs, "build", "-O", buildFolder, "--parallel", "2", ...process.argv.slice(2)];
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    env,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
    console.error("nibble: the addon did not build; the compiler's messages are above");
    return 1;
  }
  const to = join(root, "build", "Release", "nibble.node");
  mkdirSync(dirname(to), { recursive: true });
  // A copy beside it and a rename: a process that has the old one mapped keeps it.
  copyFileSync(join(root, buildFolder, "Release", "nibble.node"), `${to}.new`);
  renameSync(`${to}.new`, to);
  console.log("nibble: built build/Release/nibble.node");
  return 0;
}

process.exitCode = build();
