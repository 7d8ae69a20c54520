#!/usr/bin/env node
import { runProgram } from "./commands/program.js";

// A reader that has seen enough, such as `head`, closes the pipe: that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

await runProgram(process.argv.slice(2));

// Engines may leave handles behind that would keep the process alive; what was printed must be out before it ends.
await new Promise((resolve) => process.stdout.write("", resolve));
process.exit();
