import { vi } from "vitest";
import { runProgram } from "../../src/commands/program.js";

export interface CliResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

/** Runs a command line in this process, so that neither a build nor another Node is needed. */
export async function runCli(...args: string[]): Promise<CliResult> {
  const out = { stdout: "", stderr: "" };
  const capture = (stream: "stdout" | "stderr") =>
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      out[stream] += typeof text === "string" ? text : Buffer.from(text).toString();
      return true;
    });
  // yargs prints help through console.
  const log = vi.spyOn(console, "log").mockImplementation((text: unknown) => {
    out.stdout += `${String(text)}\n`;
  });
  const spies = [capture("stdout"), capture("stderr"), log];
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await runProgram(args);
    return { ...out, status: Number(process.exitCode) };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
