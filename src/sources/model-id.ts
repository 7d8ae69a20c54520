/** What a model's name says of it: "mistralai/Mistral-7B-Instruct-v0.3". The rules are those of gguf-py's metadata. */
export interface ModelId {
  /** Without the owner. */
  readonly name: string;
  readonly owner?: string | undefined;
  readonly basename?: string | undefined;
  readonly finetune?: string | undefined;
  readonly version?: string | undefined;
  readonly sizeLabel?: string | undefined;
}

type Kind = "basename" | "size" | "finetune" | "version" | "type";

interface Part {
  text: string;
  readonly kinds: Set<Kind>;
}

const versionPattern = /^(v|iter)?\d+(\.\d+)*$/i;
const typePattern = /^(i?q\d(_\w)*|b?fp?(16|32))$/i;
const sizePattern = /^((a|\d+x)?\d+([._]\d+)?[kmbt]\d?|small|mini|medium|large|x?xl)$/i;
const finetunePattern = /^(chat|instruct|vision|lora)$/i;

/**
 * Takes a model's name apart at its hyphens.
 *
 * @param parameters How many values the model's weights have: a size that is far from it is no size of the model (but
 * a length of contexts, as in `128k`). 0 where it is not known; below 0 it is how many an adapter changes, some of the
 * model's.
 */
export function parseModelId(id: string, parameters = 0): ModelId {
  // A sentence is a name and no more.
  if (id.includes(" ")) return { name: id };
  const slash = id.indexOf("/");
  const owner = slash < 0 || id.startsWith(".") ? undefined : id.slice(0, slash);
  const name = id.slice(slash + 1);
  const parts = name
    .split("-")
    .filter((text) => text !== "")
    .map((text, i) => annotated(text, i, parameters));
  dropSizeWords(parts);
  markBasename(parts);
  const joined = (kind: Kind, but?: Kind): string | undefined => {
    const texts = parts
      .filter(({ kinds }) => kinds.has(kind) && (but === undefined || !kinds.has(but)))
      .map(({ text }) => text);
    return texts.length === 0 ? undefined : texts.join("-");
  };
  const sizes = new Set(joined("size")?.split("-") ?? []);
  const rest = {
    sizeLabel: sizes.size === 0 ? undefined : [...sizes].join("-"),
    finetune: joined("finetune"),
    version: joined("version", "basename"),
  };
  // A name without any of them may mean anything.
  const isClear = Object.values(rest).some((value) => value !== undefined);
  return { name, owner, ...rest, basename: isClear ? joined("basename") : undefined };
}

function annotated(text: string, index: number, parameters: number): Part {
  if (versionPattern.test(text)) return { text, kinds: new Set(["version"]) };
  if (typePattern.test(text)) return { text: text.toUpperCase(), kinds: new Set(["type"]) };
  if (index > 0 && sizePattern.test(text)) return sizePart(text, parameters);
  // That an adapter is one is no name of it.
  if (parameters < 0 && index > 0 && /^lora$/i.test(text))
    return { text, kinds: new Set(["type"]) };
  const isFinetune = index > 0 && finetunePattern.test(text);
  return { text, kinds: new Set(isFinetune ? ["finetune"] : []) };
}

function sizePart(text: string, parameters: number): Part {
  let size = text.replaceAll("_", ".");
  // Bloom's 7b1 is 7.1B.
  size = size.replace(/^(.*)([a-z])(\d)$/i, "$1.$3$2");
  size = size.replace(
    /(\d)([kmbt])$/,
    (_, digit: string, unit: string) => digit + unit.toUpperCase(),
  );
  const [, number, unit] = /^(\d+(?:\.\d+)?)([KMBT])$/.exec(size) ?? [];
  if (parameters !== 0 && number !== undefined && unit !== undefined) {
    const said = Number(number) * 1000 ** " KMBT".indexOf(unit);
    const isFar =
      parameters < 0
        ? said < Math.floor(-parameters / 8)
        : Math.abs(said - parameters) > Math.floor((7 * parameters) / 8);
    if (isFar) {
      return { text: number + unit.toLowerCase(), kinds: new Set(["finetune"]) };
    }
  }
  return { text: size, kinds: new Set(["size"]) };
}

/** Words for sizes say nothing beside numbers. */
function dropSizeWords(parts: readonly Part[]): void {
  const sizes = parts.filter(({ kinds }) => kinds.has("size"));
  if (!sizes.some(({ text }) => /\d/.test(text))) return;
  for (const { text, kinds } of sizes) if (/^[a-z]+$/i.test(text)) kinds.delete("size");
}

/** The basename is what comes first, with versions in it but not at its end; what is left is a finetune. */
function markBasename(parts: readonly Part[]): void {
  let atStart = true;
  for (const { text, kinds } of parts) {
    if (atStart && ((kinds.size === 0 && /^\p{L}/u.test(text)) || kinds.has("version"))) {
      kinds.add("basename");
    } else {
      atStart = false;
      if (kinds.size === 0) kinds.add("finetune");
    }
  }
  for (const { kinds } of [...parts].reverse()) {
    if (!kinds.has("basename") || kinds.size === 1) break;
    kinds.delete("basename");
  }
}

/** A name as a title: words of small letters get a capital, versions and sizes stay. */
export function titleOf(name: string): string {
  return name
    .replaceAll("-", " ")
    .trim()
    .split(/\s+/)
    .map((word) =>
      /\p{Ll}/u.test(word) && !/\p{Lu}/u.test(word) && !/^(v\d+(\.\d+)*$|\d)/.test(word)
        ? word.replace(/\p{L}+/gu, (run) => run.charAt(0).toUpperCase() + run.slice(1))
        : word,
    )
    .join(" ");
}
