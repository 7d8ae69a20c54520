import type { ArgumentsCamelCase, Argv, CommandModule, Options } from "yargs";
import { argumentError, exitStatus, exitStatusAborted, isNibbleError } from "../errors.js";
import type { Progress } from "../progress.js";
import { printable, toJson } from "./print.js";
import { createProgress, startProgress, stopProgress } from "./progress-bar.js";

/** Options that every command has. */
export const commonOptions = {
  threads: {
    alias: "t",
    type: "number",
    requiresArg: true,
    describe: "compute threads (default: the cores that this process may use)",
  },
  json: { type: "boolean", default: false, describe: "print the result as JSON and nothing else" },
  quiet: { type: "boolean", default: false, describe: "show no progress" },
} as const satisfies Record<string, Options>;

export interface CommonArguments {
  readonly threads?: number | undefined;
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}

/** What a command gets besides its own arguments; it can be spread into the API's options. */
export interface CommandContext {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Left out where the user left it out. */
  readonly threads?: number;
}

/** The part of the context that the API's long calls take. */
export function callOptions(
  context: CommandContext,
): Pick<CommandContext, "signal" | "onProgress" | "threads"> {
  const { signal, onProgress, threads } = context;
  return { signal, onProgress, ...(threads !== undefined && { threads }) };
}

/** The value of a numeric option: an integer of at least `min`; undefined stays undefined. */
export function integerOption(option: string, value: unknown, min = 1): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min) return value;
  throw argumentError(option, min === 1 ? "a positive integer" : `an integer from ${min}`, value);
}

/**
 * A command: `options` adds its own arguments (the common ones come by themselves), `body` is run by `runCommand`.
 */
export function defineCommand<T>(
  command: string,
  describe: string,
  options: (yargs: Argv) => Argv<T>,
  body: (argv: ArgumentsCamelCase<T>, context: CommandContext) => Promise<void>,
): CommandModule<object, T> {
  return {
    command,
    describe,
    builder: (yargs) => options(yargs as Argv).options(commonOptions) as Argv<T>,
    handler: (argv) => runCommand(argv as CommonArguments, (context) => body(argv, context)),
  };
}

/**
 * Runs a command's body: Ctrl-C aborts its signal, errors become one line on stderr (an object with `--json`) and the
 * exit status of their code. Never throws.
 */
export async function runCommand(
  argv: CommonArguments,
  body: (context: CommandContext) => Promise<void>,
): Promise<void> {
  const json = argv.json === true;
  const quiet = argv.quiet === true || json;
  const abort = new AbortController();
  const release = onInterrupt(abort);
  try {
    const threads = integerOption("--threads", argv.threads);
    const { onProgress } = startProgress(quiet ? silent : createProgress());
    const { signal } = abort;
    await body({ signal, onProgress, json, quiet, ...(threads !== undefined && { threads }) });
  } catch (error) {
    reportError(abort.signal.aborted ? abort.signal.reason : error, json);
  } finally {
    stopProgress();
    release();
  }
}

const silent = { onProgress: (): void => {}, stop: (): void => {} };

/** The first Ctrl-C stops the work in good order, the second one the process. */
function onInterrupt(abort: AbortController): () => void {
  const handler = (): void => {
    if (abort.signal.aborted) {
      stopProgress();
      process.exit(exitStatusAborted);
    }
    abort.abort(new DOMException("stopped", "AbortError"));
  };
  process.on("SIGINT", handler);
  process.on("SIGTERM", handler);
  return () => {
    process.off("SIGINT", handler);
    process.off("SIGTERM", handler);
  };
}

/** What the terminal shows of an error, and the exit status. */
export interface ErrorReport {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
}

export function describeError(error: unknown): ErrorReport {
  if (isNibbleError(error)) {
    const { code, message, details } = error;
    return { status: exitStatus[code], code, message, details };
  }
  if (error instanceof Error && error.name === "AbortError") {
    return { status: exitStatusAborted, code: "ABORTED", message: "stopped" };
  }
  const reason = error instanceof Error ? error.message : String(error);
  const hint = "this is a fault in Nibble; set NIBBLE_DEBUG=1 for the stack";
  const message = `${reason} (${hint})`;
  return { status: exitStatus.ERR_INTERNAL, code: "ERR_INTERNAL", message };
}

/** Prints an error on stderr and sets the exit status. */
export function reportError(error: unknown, json = false): void {
  stopProgress();
  const { status, code, message, details } = describeError(error);
  process.exitCode = status;
  const line = json
    ? toJson({ error: { code, message, ...(details !== undefined && { details }) } })
    : `nibble: ${message.split("\n").map(printable).join("\n")}`;
  process.stderr.write(`${line}\n`);
  if (process.env["NIBBLE_DEBUG"] && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ""}\n`);
  }
}
