/** What a model card says of its model: texts and lists of texts, by key. */
export type ModelCard = ReadonlyMap<string, string | readonly string[]>;

/** A card's front matter is a page at most; the longest of published models has 60 KB. */
const maxCardCharacters = 2 ** 20;

/**
 * Reads the YAML between the first two lines `---` of a README.md, as far as model cards go: keys at the margin, with
 * a text (plain, quoted, folded or literal) or a list of texts (a line each, or in brackets). What is deeper, and what
 * is no text, is left out; nothing is an error. Every scalar is a text: `no` is Norwegian.
 */
export function parseModelCard(readme: string): ModelCard {
  const lines = readme.slice(0, maxCardCharacters).split(/\r?\n/);
  const end = lines.indexOf("---", 1);
  const card = new Map<string, string | readonly string[]>();
  if (lines[0] !== "---" || end < 0) return card;
  let i = 1;
  while (i < end) {
    const [, key, rest = ""] = /^([\w.-]+):(?:\s+(.*))?$/.exec(lines[i] ?? "") ?? [];
    const body: string[] = [];
    for (i += 1; i < end && isBody(lines[i] as string); i += 1) body.push(lines[i] as string);
    const value = key === undefined ? undefined : parseValue(uncommented(rest), body);
    if (key !== undefined && value !== undefined && !card.has(key)) card.set(key, value);
  }
  return card;
}

/** Lists stand at the margin too. */
function isBody(line: string): boolean {
  return line.trim() === "" || /^[ \t#-]/.test(line);
}

function parseValue(text: string, body: readonly string[]): string | readonly string[] | undefined {
  const [, style] = /^([|>])[+-]?\d?[+-]?$/.exec(text) ?? [];
  if (style !== undefined) return block(body, style === "|" ? "\n" : " ");
  const meant = body.map((line) => uncommented(line.trim())).filter((line) => line !== "");
  if (text === "" && (meant[0] ?? "").startsWith("-")) return listItems(meant);
  // A plain or bracketed value may go on in deeper lines; a map below a key is left out.
  if (text === "")
    return meant.some((line) => /^[^"']*:(\s|$)/.test(line)) ? undefined : scalar(meant.join(" "));
  const whole = [text, ...meant].join(" ");
  if (whole.startsWith("[")) return bracketed(whole);
  return whole.startsWith("{") ? undefined : scalar(whole);
}

/** Items of a list; those that are maps are left out. */
function listItems(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => {
    const item = /^-\s+(.*)$/.exec(line)?.[1];
    if (item === undefined || /^["']?[\w.-]+["']?:(\s|$)/.test(item)) return [];
    return scalar(item) ?? [];
  });
}

function bracketed(text: string): readonly string[] | undefined {
  const inner = /^\[(.*)\]$/.exec(text)?.[1];
  const items = inner?.match(/\s*(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,]+)/g) ?? [];
  if (inner === undefined) return undefined;
  return items.flatMap((item) => scalar(item.trim()) ?? []);
}

function block(body: readonly string[], joint: string): string {
  return body
    .map((line) => line.trim())
    .join(joint)
    .trim();
}

function scalar(text: string): string | undefined {
  const [, double] = /^"((?:[^"\\]|\\.)*)"$/.exec(text) ?? [];
  if (double !== undefined) return double.replace(/\\(["\\/])/g, "$1");
  const [, single] = /^'((?:[^']|'')*)'$/.exec(text) ?? [];
  if (single !== undefined) return single.replaceAll("''", "'");
  return text === "" || text === "~" || text === "null" ? undefined : text;
}

/** Without a comment at its end; a `#` within quotes or a word is none. */
function uncommented(text: string): string {
  if (/^["']/.test(text)) return text.trim();
  return text.replace(/(^|\s)#.*$/, "").trim();
}
