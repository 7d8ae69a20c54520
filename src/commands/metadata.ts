import { argumentError, NibbleError } from "../errors.js";
import type { MetadataEntry } from "../sources/model-info.js";
import { printMetadata } from "./inspect.js";
import { formatBytes, printable, printJson, printLine } from "./print.js";
import { printableText } from "./text.js";
import { callOptions, defineCommand, type CommandContext } from "./shared.js";
import { writeOptions } from "./write-model.js";

const metadataOptions = {
  key: { type: "string", requiresArg: true, describe: "print the value of this key, whole" },
  set: {
    type: "string",
    array: true,
    requiresArg: true,
    describe: "KEY=TYPE:VALUE, as general.name=string:Mine; in the copy (repeatable)",
  },
  remove: {
    type: "string",
    array: true,
    requiresArg: true,
    describe: "leave this key out of the copy (repeatable)",
  },
  output: { alias: "o", type: "string", requiresArg: true, describe: "the copy to write" },
  "dry-run": { ...writeOptions["dry-run"], describe: "check the edits, write nothing" },
  overwrite: writeOptions.overwrite,
} as const;

export const metadataCommand = defineCommand(
  "metadata <model>",
  "show metadata, or change them in a copy",
  (yargs) =>
    yargs
      .positional("model", {
        type: "string",
        demandOption: true,
        describe: "a GGUF file; to be shown, a Hugging Face directory too",
      })
      .options(metadataOptions)
      .conflicts("key", ["set", "remove", "output"])
      .example("$0 metadata m.gguf --key tokenizer.chat_template", "prints the template")
      .example("$0 metadata m.gguf --set general.name=string:Mine -o new.gguf", "writes a copy"),
  async (argv, context) => {
    const { model, set = [], remove = [], output } = argv;
    if (set.length + remove.length === 0 && output === undefined) {
      await show(model, argv.key, context);
      return;
    }
    if (output === undefined) throw missing("--output", "the copy to write");
    if (set.length + remove.length === 0) throw missing("--set", "what the copy is to change");
    const { parseEntry } = await import("../sources/metadata-text.js");
    const { editMetadata } = await import("../quantize/edit-metadata.js");
    const report = await editMetadata(model, {
      ...callOptions(context),
      ...{ output, remove, dryRun: argv.dryRun, overwrite: argv.overwrite },
      set: set.map((text) => parseEntry("--set", text)),
    });
    if (context.json) {
      printJson(report);
      return;
    }
    const does = report.written ? "wrote" : "would write";
    const keys = `keys: ${report.set.length} set, ${report.removed.length} removed`;
    printLine(`${does} ${printable(report.output)}: ${formatBytes(report.bytes)}, ${keys}`);
  },
);

function missing(option: string, what: string): NibbleError {
  const expected = `${what} (--set or --remove, with --output)`;
  return new NibbleError("ERR_ARGUMENT", `${option} is missing: give ${what}`, {
    option,
    expected,
  });
}

async function show(
  path: string,
  key: string | undefined,
  { json, signal }: CommandContext,
): Promise<void> {
  const { openSource } = await import("../sources/open.js");
  const { metadata } = await openSource(path, { signal });
  if (key === undefined) {
    if (json) printJson(metadata);
    else printMetadata(metadata, false);
    return;
  }
  const entry = metadata.find((candidate) => candidate.key === key);
  if (entry === undefined) {
    const { missingKey } = await import("../quantize/edit-metadata.js");
    const keys = metadata.map((known) => known.key);
    throw argumentError("--key", missingKey(key, keys), key);
  }
  if (json) printJson(entry);
  else printValue(entry);
}

/** A text as it is, but for what a terminal would take as a command; an array's elements a line each. */
function printValue({ value }: MetadataEntry): void {
  if (typeof value !== "object") {
    printLine(printableText(String(value)));
    return;
  }
  for (const element of value) {
    printLine(printable(typeof element === "string" ? JSON.stringify(element) : String(element)));
  }
}
