import { argumentError } from "../errors.js";
import { defineCommand } from "./shared.js";
import { printJson, printLine } from "./print.js";
import { readText } from "./text-file.js";
import { printable } from "./text.js";

export const tokenizeCommand = defineCommand(
  "tokenize <model>",
  "show the tokens that a model reads in a text",
  (yargs) =>
    yargs
      .positional("model", {
        type: "string",
        demandOption: true,
        describe: "a GGUF file, or a Hugging Face directory",
      })
      .options({
        prompt: { alias: "p", type: "string", requiresArg: true, describe: "the text" },
        text: {
          alias: ["f", "file"],
          type: "string",
          requiresArg: true,
          describe: "file with the text (UTF-8)",
        },
        // Named by what they are when they are on, so that yargs understands --no-...
        bos: {
          type: "boolean",
          default: true,
          describe: "add BOS and EOS where the model wants them",
        },
        "parse-special": {
          type: "boolean",
          default: true,
          describe: "text such as <|eot|> is the token of that name",
        },
        pre: {
          type: "string",
          requiresArg: true,
          describe: "cut the text as llama.cpp's pre-tokenizer of that name does",
        },
      })
      .example('$0 tokenize model.gguf -p "Once upon a time"', "ids and pieces, one a line")
      .example("$0 tokenize model.gguf --text story.txt --no-bos --json", "ids only"),
  async (argv, { signal, json }) => {
    const { tokenize } = await import("../tokenizer/tokenize.js");
    const text = await textOf(argv.prompt, argv.text, signal);
    const { tokens, pieces } = await tokenize(argv.model, text, {
      addSpecial: argv.bos,
      parseSpecial: argv["parse-special"],
      pre: argv.pre,
      signal,
    });
    if (json) {
      printJson({ tokens });
      return;
    }
    const width = String(tokens.reduce((most, id) => Math.max(most, id), 0)).length;
    const lines = tokens.map(
      (id, i) => `${String(id).padStart(width)}  ${quoted(pieces[i] ?? "")}`,
    );
    if (lines.length > 0) printLine(lines.join("\n"));
  },
);

function quoted(piece: string): string {
  return printable(JSON.stringify(piece));
}

async function textOf(
  prompt: string | undefined,
  path: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  if (prompt !== undefined && path === undefined) return prompt;
  if (prompt !== undefined || path === undefined) {
    const given = path === undefined ? "neither" : "both";
    throw argumentError("--prompt", "either --prompt TEXT or --text FILE", given);
  }
  return readText(path, signal);
}
