/**
 * Regular expressions of tokenizer.json are Oniguruma's. Here they become JavaScript's (flag `u`), as far as pre-tokenizers
 * use them: classes with intersections, inline `(?i)`, atomic groups and possessive repeats.
 */

/** Longer patterns, or deeper ones, are none of a tokenizer's. */
const maxPattern = 20_000;
const maxDepth = 32;

/** Thrown where a pattern has what is not translated; never leaves this file. */
class NotTranslated {
  readonly isNotTranslated = true;
}

const white = "\\p{White_Space}";
const word = "\\p{L}\\p{M}\\p{Nd}\\p{Pc}";
/** What a shorthand means, to stand within a class. */
const shorthands: Readonly<Record<string, string>> = {
  s: white,
  d: "\\p{Nd}",
  w: word,
  h: "0-9A-Fa-f",
};
const anchors: Readonly<Record<string, string>> = {
  A: "(?<![^])",
  z: "(?![^])",
  Z: "(?=\\n?(?![^]))",
  b: `(?:(?<=[${word}])(?![${word}])|(?<![${word}])(?=[${word}]))`,
  B: `(?:(?<=[${word}])(?=[${word}])|(?<![${word}])(?![${word}]))`,
};
const controls: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  f: "\f",
  v: "\v",
  a: "\x07",
  e: "\x1b",
  0: "\0",
};
/** POSIX brackets, and properties that only Oniguruma names so. */
const named: Readonly<Record<string, string>> = {
  alpha: "\\p{Alphabetic}",
  digit: "\\p{Nd}",
  alnum: "\\p{Alphabetic}\\p{Nd}",
  upper: "\\p{Uppercase}",
  lower: "\\p{Lowercase}",
  punct: "\\p{P}\\p{S}",
  space: white,
  blank: "\\p{Zs}\\t",
  cntrl: "\\p{Cc}",
  word,
  xdigit: "0-9A-Fa-f",
};

/** The same expression in JavaScript's form, for the flag `u`; undefined where it uses what is not translated. */
export function fromOniguruma(pattern: string): string | undefined {
  if (pattern.length > maxPattern) return undefined;
  try {
    const translation = new Translation(pattern).whole();
    new RegExp(translation, "u");
    return translation;
  } catch (error) {
    if (error instanceof NotTranslated || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

class Translation {
  readonly #characters: readonly string[];
  #position = 0;
  #groups = 0;
  #depth = 0;
  #ignoresCase = false;

  constructor(pattern: string) {
    this.#characters = Array.from(pattern);
  }

  whole(): string {
    const result = this.#alternatives();
    if (this.#position < this.#characters.length) throw new NotTranslated();
    return result;
  }

  #next(): string {
    const character = this.#characters[this.#position];
    if (character === undefined) throw new NotTranslated();
    this.#position += 1;
    return character;
  }

  #takes(text: string): boolean {
    const characters = Array.from(text);
    const found = characters.every((one, i) => this.#characters[this.#position + i] === one);
    if (found) this.#position += characters.length;
    return found;
  }

  /** Everything up to `end`, which is taken too. */
  #until(end: string): string {
    let text = "";
    for (let one = this.#next(); one !== end; one = this.#next()) text += one;
    return text;
  }

  #alternatives(): string {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw new NotTranslated();
    // `(?i)` holds until its group ends.
    const ignoredCase = this.#ignoresCase;
    let result = "";
    for (;;) {
      const character = this.#characters[this.#position];
      if (character === undefined || character === ")") break;
      if (this.#takes("|")) result += "|";
      else result += this.#repeated(this.#atom());
    }
    this.#ignoresCase = ignoredCase;
    this.#depth -= 1;
    return result;
  }

  #atom(): string {
    const character = this.#next();
    if (character === "(") return this.#group();
    if (character === "[") return this.#class();
    if (character === ".") return "[^\\n]";
    if (character === "^") return "(?<![^\\n])";
    if (character === "$") return "(?![^\\n])";
    if (character === "\\") return this.#escape();
    if (/[*+?]/.test(character)) throw new NotTranslated();
    return this.#ignoresCase ? `[${literal(character, true)}]` : literal(character, false);
  }

  #group(): string {
    for (const opening of ["?:", "?=", "?!", "?<=", "?<!"]) {
      if (this.#takes(opening)) return `(${opening}${this.#inside()})`;
    }
    if (this.#takes("?>")) return this.#atomic(this.#inside());
    if (this.#takes("?i:")) return this.#foldingCase(() => `(?:${this.#inside()})`);
    if (this.#takes("?i)")) {
      this.#ignoresCase = true;
      return "";
    }
    if (this.#takes("?<")) this.#until(">");
    else if (this.#characters[this.#position] === "?") throw new NotTranslated();
    return `(?:${this.#inside()})`;
  }

  #foldingCase(translate: () => string): string {
    const before = this.#ignoresCase;
    this.#ignoresCase = true;
    const result = translate();
    this.#ignoresCase = before;
    return result;
  }

  #inside(): string {
    const result = this.#alternatives();
    if (!this.#takes(")")) throw new NotTranslated();
    return result;
  }

  /** What a look-ahead has matched is not tried again. */
  #atomic(inside: string): string {
    const name = `a${this.#groups}`;
    this.#groups += 1;
    return `(?:(?=(?<${name}>${inside}))\\k<${name}>)`;
  }

  #repeated(atom: string): string {
    let result = atom;
    for (;;) {
      const [sign] = this.#characters.slice(this.#position, this.#position + 1);
      if (sign === "*" || sign === "+" || sign === "?") {
        this.#position += 1;
        if (this.#takes("+")) result = this.#atomic(`${result}${sign}`);
        else result = `(?:${result}${sign}${this.#takes("?") ? "?" : ""})`;
        continue;
      }
      const interval = sign === "{" ? this.#interval() : undefined;
      if (interval === undefined) return result;
      result = `(?:${result}${interval}${this.#takes("?") ? "?" : ""})`;
    }
  }

  #interval(): string | undefined {
    const rest = this.#characters.slice(this.#position, this.#position + 16).join("");
    const [text, least, comma, most] = /^\{(\d{0,5})(,?)(\d{0,5})\}/.exec(rest) ?? [];
    if (text === undefined || (least === "" && most === "")) return undefined;
    this.#position += text.length;
    return `{${least === "" ? "0" : least}${comma}${most}}`;
  }

  #escape(): string {
    const character = this.#next();
    const anchor = anchors[character];
    if (anchor !== undefined) return anchor;
    const inClass = this.#escapeInClass(character);
    return inClass.negated === undefined ? `[${inClass.items}]` : inClass.negated;
  }

  /** A class's items, or for a negated shorthand, which cannot be an item, the class itself. */
  #escapeInClass(character: string): { items: string; negated?: string } {
    const shorthand = shorthands[character];
    if (shorthand !== undefined) return { items: shorthand };
    const opposite = /[A-Z]/.test(character) ? shorthands[character.toLowerCase()] : undefined;
    if (opposite !== undefined) return { items: "", negated: `[^${opposite}]` };
    if (character === "p" || character === "P") return this.#property(character === "P");
    const control = controls[character];
    if (control !== undefined) return { items: literal(control, false) };
    if (character === "x" || character === "u") {
      return { items: literal(this.#codePoint(character), this.#ignoresCase) };
    }
    if (/[A-Za-z0-9]/.test(character)) throw new NotTranslated();
    return { items: literal(character, this.#ignoresCase) };
  }

  #codePoint(kind: "x" | "u"): string {
    let digits = "";
    if (this.#takes("{")) digits = this.#until("}");
    else for (let i = 0; i < (kind === "x" ? 2 : 4); i += 1) digits += this.#next();
    const code = /^[0-9A-Fa-f]{1,6}$/.test(digits) ? parseInt(digits, 16) : Infinity;
    if (code > 0x10ffff) throw new NotTranslated();
    return String.fromCodePoint(code);
  }

  #property(isNegated: boolean): { items: string; negated?: string } {
    if (!this.#takes("{")) throw new NotTranslated();
    const text = this.#until("}");
    const negated = isNegated !== text.startsWith("^");
    const name = text.replace(/^\^/, "");
    const own = named[name.toLowerCase()];
    const forms = [`\\p{${name}}`, `\\p{Script=${name}}`];
    const items = own ?? forms.find((form) => /^\w+$/.test(name) && isValid(form));
    if (items === undefined) throw new NotTranslated();
    return negated ? { items: "", negated: `[^${items}]` } : { items };
  }

  /** One character's worth: the opening bracket is taken. */
  #class(): string {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw new NotTranslated();
    const isNegated = this.#takes("^");
    const sets: string[] = [];
    let items = "";
    let nested: string[] = [];
    const close = (): void => {
      sets.push(union(items, nested));
      [items, nested] = ["", []];
    };
    for (let isFirst = true; isFirst || !this.#takes("]"); isFirst = false) {
      if (this.#takes("&&")) close();
      else if (this.#takes("[:")) nested.push(this.#posix());
      else if (this.#takes("[")) nested.push(this.#class());
      else {
        const found = this.#classItem();
        items += found.items;
        if (found.negated !== undefined) nested.push(found.negated);
      }
    }
    close();
    this.#depth -= 1;
    const [first = "", ...others] = sets;
    const all =
      others.length === 0 ? first : `(?:${others.map((set) => `(?=${set})`).join("")}${first})`;
    if (!isNegated) return all;
    return /^\[[^^[]*\]$/.test(all) ? `[^${all.slice(1)}` : `(?:(?!${all})[^])`;
  }

  #posix(): string {
    const isNegated = this.#takes("^");
    const items = named[this.#until(":")];
    if (items === undefined || !this.#takes("]")) throw new NotTranslated();
    return `[${isNegated ? "^" : ""}${items}]`;
  }

  #classItem(): { items: string; negated?: string } {
    const first = this.#classCharacter();
    if (typeof first !== "string") return first;
    const [dash, after] = this.#characters.slice(this.#position, this.#position + 2);
    if (dash !== "-" || after === "]" || after === undefined || after === "[") {
      return { items: literal(first, this.#ignoresCase) };
    }
    this.#position += 1;
    const last = this.#classCharacter();
    if (typeof last !== "string") throw new NotTranslated();
    return { items: range(first, last, this.#ignoresCase) };
  }

  /** A character of a class; or what an escape stands for, where that is more than one. */
  #classCharacter(): string | { items: string; negated?: string } {
    const character = this.#next();
    if (character !== "\\") return character;
    const escaped = this.#next();
    const control = escaped === "b" ? "\b" : controls[escaped];
    if (control !== undefined) return control;
    if (escaped === "x" || escaped === "u") return this.#codePoint(escaped);
    if (!/[A-Za-z0-9]/.test(escaped)) return escaped;
    return this.#escapeInClass(escaped);
  }
}

function union(items: string, nested: readonly string[]): string {
  if (nested.length === 0) return `[${items}]`;
  return `(?:${[...(items === "" ? [] : [`[${items}]`]), ...nested].join("|")})`;
}

function isValid(pattern: string): boolean {
  try {
    return new RegExp(pattern, "u").test("") || true;
  } catch {
    return false;
  }
}

/** A character by its number, so that no sign needs another way of escaping inside a class or outside. */
function literal(character: string, ignoresCase: boolean): string {
  const forms = ignoresCase
    ? [character, character.toLowerCase(), character.toUpperCase()]
    : [character];
  const single = forms.filter((form) => Array.from(form).length === 1);
  return [...new Set(single)].map(byNumber).join("");
}

function byNumber(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

function range(first: string, last: string, ignoresCase: boolean): string {
  const plain = `${byNumber(first)}-${byNumber(last)}`;
  const isLetters = /^([a-z]{2}|[A-Z]{2})$/.test(first + last);
  if (!ignoresCase || !isLetters) return plain;
  const other = (letter: string): string =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase();
  return `${plain}${byNumber(other(first))}-${byNumber(other(last))}`;
}
