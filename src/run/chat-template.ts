import { execFile, type ExecFileException } from "node:child_process";
import { createRequire } from "node:module";
import { argumentError, ioError, isNibbleError, NibbleError } from "../errors.js";
import { formatError, parseHeader } from "../sources/byte-source.js";
import type { ModelInfo } from "../sources/model-info.js";
import { chatTemplateNames, chatTemplates } from "./chat-template-table.js";

export interface ChatMessage {
  /** "system", "user" or "assistant"; a template may know others. */
  readonly role: string;
  readonly content: string;
}

/** A Jinja template that makes one text of a conversation. */
export interface ChatTemplate {
  readonly text: string;
  /** The file it came from, or the name of a built-in one; for messages. */
  readonly path: string;
}

export interface RenderChatOptions {
  /** Ends the text with the beginning of the assistant's answer; true by default. */
  readonly addGenerationPrompt?: boolean | undefined;
  /** Text of the tokens that begin and end a text; "" by default. */
  readonly bosToken?: string | undefined;
  readonly eosToken?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the template may compute; 10 by default, a thousand times what one needs. */
  readonly timeLimitSeconds?: number | undefined;
}

/** The largest templates, with tools in several styles, have some 20 KB. */
const maxTemplateBytes = 2 ** 20;
/** A context of a million tokens has 5 MB. */
const maxTextBytes = 2 ** 24;
const memoryMiB = 128;

/** A model's value of `tokenizer.KEY`. */
function tokenizerValue(info: ModelInfo, key: string): unknown {
  return info.metadata.find((entry) => entry.key === `tokenizer.${key}`)?.value;
}

/**
 * The template of a conversation with the model.
 *
 * @param choice The name of a built-in template, or a file with one; the model's own where it is not given.
 * @throws NibbleError ERR_UNSUPPORTED where the model has none, ERR_ARGUMENT where the choice is neither, ERR_FORMAT
 *   where the file is no template, ERR_IO.
 */
export async function findChatTemplate(info: ModelInfo, choice?: string): Promise<ChatTemplate> {
  if (choice !== undefined) {
    const name = chatTemplateNames.find((known) => known === choice);
    return name === undefined ? readTemplate(choice) : { text: chatTemplates[name], path: name };
  }
  const text = tokenizerValue(info, "chat_template");
  if (typeof text === "string") return { text, path: info.path };
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${info.path}: has no chat template (tokenizer.chat_template); choose one with --chat-template: ` +
      `${chatTemplateNames.join(", ")} or a file with a Jinja template`,
    { what: "model without chat template", value: info.path },
  );
}

async function readTemplate(path: string): Promise<ChatTemplate> {
  try {
    return await parseHeader(path, (cursor) => {
      if (cursor.fileBytes > maxTemplateBytes)
        throw formatError(path, "chat template", "is longer than 1 MiB");
      return { text: cursor.take(cursor.fileBytes, "chat template").toString("utf8"), path };
    });
  } catch (error) {
    if (!isNibbleError(error, "ERR_IO") || error.details.errno !== "ENOENT") throw error;
    const expected = `${chatTemplateNames.join(", ")} or a file`;
    throw argumentError("chatTemplate", expected, path);
  }
}

/** The texts of the model's BOS and EOS tokens, as templates want them. */
export function chatTokens(info: ModelInfo): { bosToken: string; eosToken: string } {
  const tokens = tokenizerValue(info, "ggml.tokens");
  const text = (kind: string): string => {
    const id = tokenizerValue(info, `ggml.${kind}_token_id`);
    const token: unknown = Array.isArray(tokens) && typeof id === "number" ? tokens[id] : undefined;
    return typeof token === "string" ? token : "";
  };
  return { bosToken: text("bos"), eosToken: text("eos") };
}

/**
 * The text of a conversation. It names special tokens, and most templates begin it with BOS: tokenize it with special
 * tokens and without another BOS.
 *
 * A template is a program that came with a file, and the library sets it no limits. So it runs in a process of its own,
 * with a limit on time, memory and text. (A worker thread is not enough: a long string over its heap's limit ends the
 * whole process.)
 *
 * @throws NibbleError ERR_FORMAT where the template is no Jinja or meets a limit, ERR_UNSUPPORTED where it refuses the
 *   conversation or uses what the library @huggingface/jinja lacks, ERR_IO; `signal.reason` on abort.
 */
export async function renderChat(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: RenderChatOptions = {},
): Promise<string> {
  const { addGenerationPrompt = true, bosToken = "", eosToken = "", signal } = options;
  const { timeLimitSeconds = 10 } = options;
  signal?.throwIfAborted();
  const variables = {
    messages,
    tools: null,
    add_generation_prompt: addGenerationPrompt,
    bos_token: bosToken,
    eos_token: eosToken,
  };
  const task = JSON.stringify({ library: jinjaPath(), template: template.text, variables });
  const answer = await runLimited(template.path, task, timeLimitSeconds, signal);
  if (answer.text !== undefined) return answer.text;
  const problem = answer.problem ?? "unknown";
  if (answer.step === "parse")
    throw formatError(template.path, "chat template", `is not Jinja that can be read: ${problem}`);
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${template.path}: the chat template stopped: ${problem}; change the messages or choose another template with --chat-template`,
    { what: "chat template", value: problem },
  );
}

function jinjaPath(): string {
  return createRequire(import.meta.url).resolve("@huggingface/jinja");
}

interface Answer {
  readonly text?: string;
  readonly step?: "parse" | "render";
  readonly problem?: string;
}

/** What the process runs: a task from stdin, an Answer to stdout. */
const program = `
const { library, template, variables } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const { Template } = require(library);
let step = "parse";
let answer;
try {
  const parsed = new Template(template);
  step = "render";
  answer = { text: parsed.render(variables) };
} catch (error) {
  answer = { step, problem: String(error?.message ?? error) };
}
process.stdout.write(JSON.stringify(answer));
`;

function runLimited(
  path: string,
  task: string,
  seconds: number,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const limits = {
      timeout: Math.ceil(seconds * 1000),
      maxBuffer: maxTextBytes,
      killSignal: "SIGKILL",
      // Options meant for this process are not for that one; within Electron it shall be plain Node.
      env: { ...process.env, NODE_OPTIONS: "", ELECTRON_RUN_AS_NODE: "1" },
      windowsHide: true,
      ...(signal === undefined ? {} : { signal }),
    } as const;
    const args = [`--max-old-space-size=${memoryMiB}`, "-e", program];
    const child = execFile(process.execPath, args, limits, (error, stdout) => {
      if (signal?.aborted === true) reject(signal.reason);
      else if (error === null) resolve(JSON.parse(stdout) as Answer);
      else reject(limitError(error, path, seconds));
    });
    // A process that has ended does not read: its end is what is reported.
    child.stdin?.on("error", () => {});
    child.stdin?.end(task);
  });
}

function limitError(error: ExecFileException, path: string, seconds: number): unknown {
  const { code, killed } = error;
  let problem = `needs more than ${memoryMiB} MiB of memory`;
  if (String(code) === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER")
    problem = "makes more than 16 MiB of text";
  else if (typeof code === "string") return ioError(error, process.execPath, "start a process");
  else if (killed === true) problem = `does not end within ${seconds} seconds`;
  return formatError(
    path,
    "chat template",
    `${problem}; choose another with --chat-template: ${chatTemplateNames.join(", ")} or a file`,
  );
}
