#!/usr/bin/env node
import { packageVersion } from "./commands/version.js";

// A reader that has seen enough, such as `head`, closes the pipe: that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

const args = process.argv.slice(2);
if (args.length === 1 && args[0] === "--version") {
  // What scripts ask first needs none of the commands, whose loading takes longer than Node's own start.
  process.stdout.write(`${packageVersion()}\n`);
} else {
  const { runProgram } = await import("./commands/program.js");
  await runProgram(args);
}

// Engines may leave handles behind that would keep the process alive; what was printed must be out before it ends.
await new Promise((resolve) => process.stdout.write("", resolve));
process.exit();
