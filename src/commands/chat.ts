import { createInterface, type Interface } from "node:readline";
import type { Chat } from "../run/chat.js";
import { engineChoice, engineOptions } from "./engine-option.js";
import { printJson, printLine } from "./print.js";
import { stopProgress } from "./progress-bar.js";
import { samplingChoice, samplingOptions } from "./sampling-option.js";
import { callOptions, defineCommand, integerOption } from "./shared.js";
import { printableText } from "./text.js";

export const chatCommand = defineCommand(
  "chat <model>",
  "talk with a model (Ctrl-C ends an answer, Ctrl-D the conversation)",
  (yargs) =>
    yargs
      .positional("model", { type: "string", demandOption: true, describe: "a GGUF file" })
      .options({
        system: { type: "string", requiresArg: true, describe: "what the model is told first" },
        "chat-template": {
          type: "string",
          requiresArg: true,
          describe: "name of a built-in template, or a file with one (default: the model's own)",
        },
        "ctx-size": {
          alias: "c",
          type: "number",
          requiresArg: true,
          describe: "tokens that the conversation may have (default: the model's, at most 4096)",
        },
        "n-predict": {
          alias: "n",
          type: "number",
          requiresArg: true,
          describe: "tokens of an answer at most",
        },
        ...samplingOptions,
        ...engineOptions,
      })
      .example("$0 chat model-Q4_K_M.gguf", "/clear begins anew")
      .example('echo "Why is the sky blue?" | $0 chat model.gguf --json', "a turn for each line"),
  async (argv, context) => {
    const { createChat } = await import("../run/chat.js");
    const chat = await createChat(argv.model, {
      ...callOptions(context),
      ...engineChoice(argv),
      ...samplingChoice(argv),
      system: argv.system,
      template: argv["chat-template"],
      contextLength: integerOption("--ctx-size", argv["ctx-size"]),
      maxTokens: integerOption("--n-predict", argv["n-predict"]),
    });
    try {
      await converse(chat, context.json);
      if (context.json) printJson({ messages: chat.messages });
    } finally {
      await chat.dispose();
    }
  },
);

/** Reads turns until the input ends. On a terminal Ctrl-C ends the answer, or the conversation between answers. */
async function converse(chat: Chat, quiet: boolean): Promise<void> {
  const isTerminal = process.stdin.isTTY;
  const lines = createInterface({
    input: process.stdin,
    ...(isTerminal && { output: process.stderr, prompt: "> " }),
  });
  let turn: AbortController | undefined;
  lines.on("SIGINT", () => {
    if (turn === undefined) lines.close();
    else turn.abort();
  });
  stopProgress();
  if (isTerminal) lines.prompt();
  for await (const line of lines) {
    if (line.trim() === "/clear") chat.clear();
    else if (line.trim() !== "") {
      turn = new AbortController();
      await answer(chat, line, quiet, turn.signal);
      turn = undefined;
    }
    if (isTerminal) prompt(lines);
  }
}

function prompt(lines: Interface): void {
  try {
    lines.prompt();
  } catch {
    // Closed meanwhile.
  }
}

async function answer(
  chat: Chat,
  line: string,
  quiet: boolean,
  signal: AbortSignal,
): Promise<void> {
  for await (const piece of chat.send(line)) {
    if (!quiet) process.stdout.write(printableText(piece));
    if (signal.aborted) break;
  }
  if (!quiet) printLine();
}
