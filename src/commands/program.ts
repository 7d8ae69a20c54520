import yargs, { type Argv, type CommandModule } from "yargs";
import { exitStatus, isNibbleError, NibbleError } from "../errors.js";
import { nearestName } from "../plan/nearest-name.js";
import { benchCommand } from "./bench.js";
import { chatCommand } from "./chat.js";
import { convertCommand } from "./convert.js";
import { demoCommand } from "./demo.js";
import { devicesCommand } from "./devices.js";
import { diffCommand } from "./diff.js";
import { generateCommand } from "./generate.js";
import { hashCommand } from "./hash.js";
import { imatrixCommand } from "./imatrix.js";
import { inspectCommand } from "./inspect.js";
import { mergeCommand } from "./merge.js";
import { metadataCommand } from "./metadata.js";
import { perplexityCommand } from "./perplexity.js";
import { quantizeCommand } from "./quantize.js";
import { splitCommand } from "./split.js";
import { terminalWidth } from "./print.js";
import { reportError } from "./shared.js";
import { tokenizeCommand } from "./tokenize.js";
import { verifyCommand } from "./verify.js";
import { packageVersion } from "./version.js";

/** Every command, in the order of `nibble --help`. */
const commands = [
  inspectCommand,
  quantizeCommand,
  convertCommand,
  verifyCommand,
  diffCommand,
  hashCommand,
  metadataCommand,
  splitCommand,
  mergeCommand,
  perplexityCommand,
  imatrixCommand,
  benchCommand,
  generateCommand,
  chatCommand,
  tokenizeCommand,
  devicesCommand,
  demoCommand,
] as readonly CommandModule<object, never>[];

const commandNames = commands.map(({ command }) => String(command).split(" ", 1)[0] ?? "");

/** Runs the command line; sets `process.exitCode`, prints every error, and never throws. */
export async function runProgram(args: readonly string[]): Promise<void> {
  try {
    const program = makeProgram(args);
    if (args.length === 0) {
      program.showHelp("log");
      process.exitCode = exitStatus.ERR_ARGUMENT;
      return;
    }
    await program.parseAsync();
  } catch (error) {
    reportError(error, args.includes("--json"));
  }
}

function makeProgram(args: readonly string[]): Argv {
  const program = yargs([...args])
    .scriptName("nibble")
    .usage("$0 <command>\n\nMakes local language models small, runs them, and measures the cost.")
    // Options and errors are in English, so the frame around them is too.
    .locale("en")
    // `--tensor-type A=Q6_K model.gguf`: an array option takes one value, so that the model stays the model.
    .parserConfiguration({ "greedy-arrays": false, "parse-positional-numbers": false })
    .exitProcess(false)
    .strict()
    .demandCommand(1)
    .recommendCommands()
    .check(checkRepeated, true)
    .version(packageVersion())
    .alias({ help: "h" })
    .wrap(Math.min(100, terminalWidth()))
    .epilogue(
      "Exit status: 0 done, 2 wrong arguments, 3 a file or a model that Nibble cannot use, 4 disk " +
        "or device, 5 not verified, 6 the native addon is missing, 70 a fault in Nibble, 130 stopped.",
    )
    .fail((message: string | null, error: Error | undefined) => {
      throw isNibbleError(error) ? error : usageError(message ?? error?.message ?? "", args);
    });
  for (const command of commands) program.command(command);
  return program;
}

/** yargs makes an array of an option that is given twice; of those that are not made for it, that is a mistake. */
function checkRepeated(argv: Record<string, unknown>, options: unknown): boolean {
  const { array } = options as { readonly array: readonly string[] };
  const plain = (name: string): string => name.replaceAll("-", "").toLowerCase();
  const repeatable = new Set(["_", "", ...array.map(plain)]);
  for (const [name, value] of Object.entries(argv)) {
    if (Array.isArray(value) && !repeatable.has(plain(name))) {
      const details = { option: `--${name}`, expected: "one value" };
      throw new NibbleError(
        "ERR_ARGUMENT",
        `--${name}: it is given ${value.length} times`,
        details,
      );
    }
  }
  return true;
}

/** What yargs says of the arguments, as one line that names the help that fits. */
function usageError(message: string, args: readonly string[]): NibbleError {
  const command = args.find((arg) => !arg.startsWith("-"));
  const known = command !== undefined && commandNames.includes(command);
  let text = message.charAt(0).toLowerCase() + message.slice(1);
  if (command === undefined) text = "a command is missing";
  else if (!known) {
    text = `there is no command ${JSON.stringify(command)}; did you mean ${nearestName(command, commandNames) ?? ""}?`;
  }
  const help = known ? `nibble ${command} --help` : "nibble --help";
  const expected = `what '${help}' lists`;
  return new NibbleError("ERR_ARGUMENT", `${text} (see '${help}')`, { option: "", expected });
}
