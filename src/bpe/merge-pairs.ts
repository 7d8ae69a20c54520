/**
 * Rank of joining `text[start, middle)` with `text[middle, end)`: the lowest is joined first, the leftmost of equals.
 * Undefined: never.
 */
export type PairRank = (start: number, middle: number, end: number) => number | undefined;

/**
 * Byte-pair encoding: joins neighbouring symbols, best pair first, until no pair can be joined.
 *
 * A doubly linked list of symbols and a heap of pairs, so that n symbols take O(n log n). A pair in the heap whose symbols
 * have changed since is recognised by its length and dropped (the symbol on the left only grows by taking in its right
 * neighbour, which is empty from then on).
 *
 * @param starts index in the text where every symbol starts, ascending, the first 0.
 * @param length of the text.
 * @returns where every symbol starts in the end.
 */
export function mergePairs(starts: readonly number[], length: number, rank: PairRank): number[] {
  const count = starts.length;
  const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : -1));
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
  const end = Int32Array.from({ length: count }, (_, i) => starts[i + 1] ?? length);
  const heap = new PairHeap();
  const offer = (left: number, right: number): void => {
    if (left < 0 || right < 0) return;
    const [from, to] = [starts[left] as number, end[right] as number];
    const found = rank(from, end[left] as number, to);
    if (found !== undefined) heap.push({ rank: found, left, right, bytes: to - from });
  };
  for (let i = 1; i < count; i += 1) offer(i - 1, i);
  for (let pair = heap.pop(); pair !== undefined; pair = heap.pop()) {
    const { left, right, bytes } = pair;
    const isStale =
      next[left] !== right || (end[right] as number) - (starts[left] as number) !== bytes;
    if (isStale) continue;
    const after = next[right] as number;
    end[left] = end[right] as number;
    next[left] = after;
    // The symbol is gone: no pair that starts with it is valid any more.
    next[right] = -2;
    if (after >= 0) previous[after] = left;
    offer(previous[left] as number, left);
    offer(left, after);
  }
  const result: number[] = [];
  for (let i = count > 0 ? 0 : -1; i >= 0; i = next[i] as number) result.push(starts[i] as number);
  return result;
}

/** Where each character starts, in UTF-16 units. */
export function characterStarts(text: string): number[] {
  const starts: number[] = [];
  for (let i = 0; i < text.length; i += (text.codePointAt(i) ?? 0) > 0xffff ? 2 : 1) starts.push(i);
  return starts;
}

interface Pair {
  readonly rank: number;
  readonly left: number;
  readonly right: number;
  /** Length of both in the text. */
  readonly bytes: number;
}

function isBefore(a: Pair, b: Pair): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.left < b.left);
}

/** A binary heap, the best pair on top. */
class PairHeap {
  readonly #pairs: Pair[] = [];

  push(pair: Pair): void {
    const pairs = this.#pairs;
    let hole = pairs.length;
    pairs.push(pair);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      const above = pairs[parent] as Pair;
      if (!isBefore(pair, above)) break;
      pairs[hole] = above;
      hole = parent;
    }
    pairs[hole] = pair;
  }

  pop(): Pair | undefined {
    const pairs = this.#pairs;
    const top = pairs[0];
    const last = pairs.pop();
    if (top === undefined || last === undefined || pairs.length === 0) return top;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      const left = pairs[child];
      if (left === undefined) break;
      const right = pairs[child + 1];
      if (right !== undefined && isBefore(right, left)) child += 1;
      const best = pairs[child] as Pair;
      if (!isBefore(best, last)) break;
      pairs[hole] = best;
      hole = child;
    }
    pairs[hole] = last;
    return top;
  }
}
