import { argumentError } from "../errors.js";

/** Ends a text at a stop string, however the text is cut into pieces. */
export interface StopFilter {
  /** Takes the next piece; `text` is what can be shown already. After `stopped` everything is dropped. */
  readonly push: (piece: string) => { readonly text: string; readonly stopped: boolean };
  /** The text has ended: what was held back, for it was not the beginning of a stop string. */
  readonly end: () => string;
}

/**
 * The stop string that is complete first ends the text, the longest where several end together; it is not part of the
 * text. Holds back only as much as could be the beginning of a stop string.
 *
 * @throws NibbleError ERR_ARGUMENT where a stop string is empty.
 */
export function createStopFilter(stops: readonly string[]): StopFilter {
  const empty = stops.find((stop) => stop.length === 0);
  if (empty !== undefined) throw argumentError("stop", "a text that is not empty", empty);
  let held = "";
  let stopped = false;
  return {
    push(piece) {
      if (stopped) return { text: "", stopped };
      const text = held + piece;
      const cut = findStop(text, stops);
      stopped = cut !== undefined;
      const safe = cut ?? text.length - beginningAtEnd(text, stops);
      held = stopped ? "" : text.slice(safe);
      return { text: text.slice(0, safe), stopped };
    },
    end() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

/** Where the stop string begins that is complete first. */
function findStop(text: string, stops: readonly string[]): number | undefined {
  let begin: number | undefined;
  let firstEnd = Infinity;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    const end = at + stop.length;
    if (at < 0 || end > firstEnd) continue;
    begin = end < firstEnd ? at : Math.min(begin ?? at, at);
    firstEnd = end;
  }
  return begin;
}

/** Length of the longest end of `text` with which a stop string begins. */
function beginningAtEnd(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length -= 1) {
      if (text.endsWith(stop.slice(0, length))) longest = length;
    }
  }
  return longest;
}
