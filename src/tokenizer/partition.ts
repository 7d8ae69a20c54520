import { attribute, matchedInText, type TokenTable } from "./special-tokens.js";

/** A text, or a token that stood in it. */
export type Fragment = string | number;

interface Node {
  readonly next: Map<number, Node>;
  /** The token that ends here. */
  id?: number;
}

/**
 * Finds tokens that are written out in a text. User-defined tokens always count, control and unknown tokens only when
 * `special` asks for it.
 *
 * As in llama.cpp the longest token is looked for first, in the whole text, then the next in what is left, so that it is
 * not always the leftmost that is found. A first pass over the text finds the tokens that occur at all: there may be
 * thousands.
 */
export function makePartition(
  table: TokenTable,
): (text: string, special: boolean) => readonly Fragment[] {
  const { texts, attributes } = table;
  const attributesOf = (id: number): number => attributes[id] ?? 0;
  const order = matchedTokens(table);
  const roots = { plain: makeTree(texts, []), special: makeTree(texts, order) };
  const isPlain = (id: number): boolean =>
    (attributesOf(id) & (attribute.control | attribute.unknown)) === 0;
  roots.plain = makeTree(texts, order.filter(isPlain));
  return (text, special) => {
    if (text === "") return [];
    const present = findPresent(special ? roots.special : roots.plain, text);
    let fragments: Fragment[] = [text];
    if (present.size === 0) return fragments;
    for (const id of order) {
      if (!present.has(id)) continue;
      fragments = fragments.flatMap((fragment) =>
        typeof fragment === "string"
          ? split(fragment, id, texts[id] ?? "", attributesOf(id))
          : fragment,
      );
    }
    return fragments;
  };
}

/** Longest first, in bytes. */
function matchedTokens({ texts, attributes }: TokenTable): readonly number[] {
  const ids = Array.from(texts.keys()).filter(
    (id) => ((attributes[id] ?? 0) & matchedInText) !== 0,
  );
  const bytes = new Map(ids.map((id) => [id, Buffer.byteLength(texts[id] ?? "")]));
  return ids.sort((a, b) => (bytes.get(b) ?? 0) - (bytes.get(a) ?? 0) || a - b);
}

function makeTree(texts: readonly string[], ids: readonly number[]): Node {
  const root: Node = { next: new Map() };
  for (const id of ids) {
    let node = root;
    const text = texts[id] ?? "";
    for (let i = 0; i < text.length; i += 1) {
      const unit = text.charCodeAt(i);
      let next = node.next.get(unit);
      if (next === undefined) node.next.set(unit, (next = { next: new Map() }));
      node = next;
    }
    node.id = id;
  }
  return root;
}

function findPresent(root: Node, text: string): ReadonlySet<number> {
  const present = new Set<number>();
  if (root.next.size === 0) return present;
  for (let start = 0; start < text.length; start += 1) {
    let node = root.next.get(text.charCodeAt(start));
    for (let i = start + 1; node !== undefined; i += 1) {
      if (node.id !== undefined) present.add(node.id);
      // NaN behind the end: no key.
      node = node.next.get(text.charCodeAt(i));
    }
  }
  return present;
}

function split(text: string, id: number, token: string, attributes: number): Fragment[] {
  const result: Fragment[] = [];
  let start = 0;
  let at = text.indexOf(token);
  for (; at >= 0; at = text.indexOf(token, start)) {
    let end = at;
    if (attributes & attribute.stripsLeft) while (end > start && isSpace(text, end - 1)) end -= 1;
    if (end > start) result.push(text.slice(start, end));
    result.push(id);
    start = at + token.length;
    if (attributes & attribute.stripsRight) while (isSpace(text, start)) start += 1;
  }
  if (start < text.length) result.push(text.slice(start));
  return result;
}

/** What C calls a space. */
function isSpace(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d);
}
