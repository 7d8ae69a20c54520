import { NibbleError } from "../errors.js";
import { isObject, type JsonFile } from "./json-file.js";

/** One step of a tokenizer.json's pre-tokenizer, shortened to what tells one from another. */
type Step = string;

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const llama3Regex = `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const qwen2Regex = llama3Regex.replace("{1,3}", "");

/**
 * llama.cpp's names for the ways in which a byte-level tokenizer cuts text, by the steps that tokenizer.json lists.
 * The names are part of the file format (`tokenizer.ggml.pre`).
 */
const known: readonly (readonly [steps: readonly Step[], pre: string])[] = [
  [["bytes with regex"], "gpt-2"],
  [["digits one by one", "bytes with regex"], "smollm"],
  [[`split ${llama3Regex}`, "bytes"], "llama-bpe"],
  [[`split ${qwen2Regex}`, "bytes"], "qwen2"],
];

/**
 * The name of a byte-level tokenizer's way to cut text.
 *
 * @throws NibbleError ERR_UNSUPPORTED where it is none of those that are known; `--pre` names it then.
 */
export function preTokenizerName(tokenizer: JsonFile): string {
  const steps = stepsOf(tokenizer.object["pre_tokenizer"]);
  const found = known.find(([list]) => list.length === steps.length && list.every(equals(steps)));
  if (found !== undefined) return found[1];
  const shown = steps.join(", ") || "missing";
  throw new NibbleError(
    "ERR_UNSUPPORTED",
    `${tokenizer.path}: the pre-tokenizer is not known (${shown.slice(0, 200)}); ` +
      "give llama.cpp's name for it with --pre, or quantize a GGUF of the model",
    { what: "pre-tokenizer", value: shown },
  );
}

function equals(steps: readonly Step[]): (step: Step, index: number) => boolean {
  return (step, index) => steps[index] === step;
}

/** Whether any step is byte-level: then the vocabulary is GPT-2's kind. */
export function isByteLevel(tokenizer: JsonFile): boolean {
  return [tokenizer.object["pre_tokenizer"], tokenizer.object["decoder"]].some((part) =>
    flatten(part).some(({ type }) => type === "ByteLevel"),
  );
}

function flatten(part: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (!isObject(part)) return [];
  const inner = part["pretokenizers"] ?? part["decoders"];
  return Array.isArray(inner) ? inner.filter(isObject) : [part];
}

function stepsOf(part: unknown): readonly Step[] {
  return flatten(part).map((step) => {
    const { type, use_regex: regex, individual_digits: digits, behavior, pattern } = step;
    if (type === "ByteLevel") return regex === false ? "bytes" : "bytes with regex";
    if (type === "Digits") return digits === true ? "digits one by one" : "digits together";
    if (type === "Split" && behavior === "Isolated" && isObject(pattern)) {
      return `split ${String(pattern["Regex"])}`;
    }
    return String(type);
  });
}
