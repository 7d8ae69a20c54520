import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ioError } from "../errors.js";
import { formatError } from "./byte-source.js";
import { readOptionalJson, type JsonFile } from "./json-file.js";
import { parseSentencePiece, type SentencePieceModel } from "./sentencepiece-model.js";
import { isTiktoken, parseTiktoken, type TiktokenVocabulary } from "./tiktoken-ranks.js";

/** What a Hugging Face directory says of how its model cuts text; what is not there is undefined. */
export interface TokenizerFiles {
  /** The directory. */
  readonly path: string;
  readonly config: JsonFile;
  readonly tokenizer: JsonFile | undefined;
  readonly tokenizerConfig: JsonFile | undefined;
  readonly generationConfig: JsonFile | undefined;
  /** added_tokens.json */
  readonly addedTokens: JsonFile | undefined;
  /** tokenizer.model, of SentencePiece. */
  readonly sentencePiece: SentencePieceModel | undefined;
  /** *.tiktoken, or a tokenizer.model of that kind. */
  readonly tiktoken: TiktokenVocabulary | undefined;
  /** vocab.json */
  readonly vocabulary: JsonFile | undefined;
  /** Text of merges.txt. */
  readonly merges: string | undefined;
  /** chat_template.jinja and additional_chat_templates, or chat_template.json. */
  readonly templates: readonly NamedTemplate[];
}

export interface NamedTemplate {
  readonly name: string;
  readonly template: string;
}

/** The largest published tokenizer.model has 5 MB, tiktoken lists have 4, merges.txt less. */
const maxBytes = 2 ** 26;

/**
 * Reads what is needed of a directory's tokenizer.
 *
 * @param prefersSentencePiece whether tokenizer.model counts where there is a tokenizer.json too.
 */
export async function readTokenizerFiles(
  { path, fileNames, config, signal }: TokenizerPlace,
  prefersSentencePiece: boolean,
): Promise<TokenizerFiles> {
  const json = async (name: string): Promise<JsonFile | undefined> =>
    fileNames.includes(name) ? readOptionalJson(join(path, name), signal) : undefined;
  const tokenizer = await json("tokenizer.json");
  const readsModel = tokenizer === undefined || prefersSentencePiece;
  const model = readsModel ? await modelFile(path, fileNames, signal) : {};
  const readsLists = tokenizer === undefined && model.sentencePiece === undefined;
  return {
    path,
    config,
    tokenizer,
    tokenizerConfig: await json("tokenizer_config.json"),
    generationConfig: await json("generation_config.json"),
    addedTokens: await json("added_tokens.json"),
    sentencePiece: model.sentencePiece,
    tiktoken: model.tiktoken,
    vocabulary: readsLists ? await json("vocab.json") : undefined,
    merges:
      readsLists && fileNames.includes("merges.txt")
        ? (await bytesOf(join(path, "merges.txt"), signal)).toString("utf8")
        : undefined,
    templates: await templateFiles(path, fileNames, json, signal),
  };
}

export interface TokenizerPlace {
  readonly path: string;
  /** Names of the files in the directory. */
  readonly fileNames: readonly string[];
  readonly config: JsonFile;
  readonly signal?: AbortSignal | undefined;
}

async function modelFile(
  path: string,
  fileNames: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Partial<Pick<TokenizerFiles, "sentencePiece" | "tiktoken">>> {
  const ranks = fileNames.find((name) => name.endsWith(".tiktoken"));
  for (const name of ["tokenizer.model", ranks]) {
    if (name === undefined || !fileNames.includes(name)) continue;
    const file = join(path, name);
    const bytes = await bytesOf(file, signal);
    if (name === ranks || isTiktoken(bytes)) return { tiktoken: parseTiktoken(file, bytes) };
    return { sentencePiece: parseSentencePiece(file, bytes) };
  }
  return {};
}

async function bytesOf(path: string, signal: AbortSignal | undefined): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw formatError(path, "file", `is ${size} bytes long, more than any`);
    return await readFile(path, { ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw ioError(error, path, "read");
  }
}

async function templateFiles(
  path: string,
  fileNames: readonly string[],
  json: (name: string) => Promise<JsonFile | undefined>,
  signal: AbortSignal | undefined,
): Promise<readonly NamedTemplate[]> {
  const read = async (name: string, file: string): Promise<NamedTemplate> => ({
    name,
    template: (await bytesOf(join(path, file), signal)).toString("utf8"),
  });
  if (!fileNames.includes("chat_template.jinja")) {
    const template = (await json("chat_template.json"))?.text("chat_template");
    return template === undefined ? [] : [{ name: "default", template }];
  }
  const folder = "additional_chat_templates";
  const others = fileNames.includes(folder) ? await templateNames(join(path, folder)) : [];
  return Promise.all([
    read("default", "chat_template.jinja"),
    ...others.map((name) => read(name.slice(0, -".jinja".length), join(folder, name))),
  ]);
}

async function templateNames(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith(".jinja")).sort();
  } catch (error) {
    throw ioError(error, folder, "list the directory");
  }
}
