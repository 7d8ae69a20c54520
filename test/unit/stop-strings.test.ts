import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { createStopFilter } from "../../src/run/stop-strings.js";

interface Outcome {
  readonly text: string;
  readonly stopped: boolean;
}

function filter(pieces: readonly string[], stops: readonly string[]): Outcome {
  const stop = createStopFilter(stops);
  let text = "";
  let stopped = false;
  for (const piece of pieces) {
    const step = stop.push(piece);
    text += step.text;
    stopped = step.stopped;
  }
  return { text: text + stop.end(), stopped };
}

/** By the definition: the shortest beginning of the text that ends with a stop string. */
function slow(text: string, stops: readonly string[]): Outcome {
  for (let end = 1; end <= text.length; end += 1) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    const longest = Math.max(0, ...found.map((stop) => stop.length));
    if (longest > 0) return { text: text.slice(0, end - longest), stopped: true };
  }
  return { text, stopped: false };
}

const letters = (least: number, most: number) =>
  fc.string({ unit: fc.constantFrom("a", "b", "\n"), minLength: least, maxLength: most });

describe("stop strings", () => {
  it("end the text at the same place for every cut into pieces", () => {
    const text = "one\n\nUser: two";
    const stops = ["\nUser:", "User: t"];
    for (let cuts = 0; cuts < 2 ** (text.length - 1); cuts += 1) {
      const pieces: string[] = [""];
      [...text].forEach((letter, i) => {
        if (i > 0 && (cuts >> (i - 1)) & 1) pieces.push("");
        pieces.push((pieces.pop() ?? "") + letter);
      });
      const outcome = filter(pieces, stops);
      if (outcome.text !== "one\n" || !outcome.stopped) expect(pieces).toBe("one");
    }
  });

  it("equal the definition for any texts and stop strings", () => {
    const stops = fc.array(letters(1, 4), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(letters(0, 5), { maxLength: 8 }), stops, (pieces, chosen) => {
        expect(filter(pieces, chosen)).toEqual(slow(pieces.join(""), chosen));
      }),
      { numRuns: 3000 },
    );
  });

  it("hold back no more than could be the beginning of one", () => {
    const stop = createStopFilter(["</s>", "<|end|>"]);
    expect(stop.push("a < b <").text).toBe("a < b ");
    expect(stop.push("|en").text).toBe("");
    expect(stop.push("x").text).toBe("<|enx");
    expect(stop.push("<|end|").text).toBe("");
    expect(stop.end()).toBe("<|end|");
    expect(stop.end()).toBe("");
  });

  it("drop everything after the end", () => {
    const stop = createStopFilter(["."]);
    expect(stop.push("a.b")).toEqual({ text: "a", stopped: true });
    expect(stop.push("c")).toEqual({ text: "", stopped: true });
    expect(stop.end()).toBe("");
  });

  it("may be none, but not empty", () => {
    expect(filter(["a", "b"], [])).toEqual({ text: "ab", stopped: false });
    expect(() => createStopFilter(["a", ""])).toThrow(
      expect.toSatisfy((error) => isNibbleError(error, "ERR_ARGUMENT")),
    );
  });
});
