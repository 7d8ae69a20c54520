/** Whether token a comes before token b: by logit, then by id. */
function precedes(values: Float32Array, a: number, b: number): boolean {
  const x = values[a] ?? 0;
  const y = values[b] ?? 0;
  return x === y ? a < b : x > y;
}

/** The ids of the tokens that have a probability, ascending. NaN counts as impossible. */
export function possibleTokens(values: Float32Array, ids: Int32Array): Int32Array {
  let length = 0;
  for (let id = 0; id < values.length; id += 1) {
    if ((values[id] ?? NaN) > -Infinity) ids[length++] = id;
  }
  return ids.subarray(0, length);
}

/**
 * The k most probable tokens, fewer where fewer are possible, in any order; of equal logits the lower ids.
 *
 * @param ids At least k long; the result is its beginning.
 */
export function largestTokens(values: Float32Array, k: number, ids: Int32Array): Int32Array {
  let length = 0;
  let id = 0;
  for (; id < values.length && length < k; id += 1) {
    if ((values[id] ?? NaN) > -Infinity) ids[length++] = id;
  }
  // A heap with the last of them on top, which most tokens do not beat.
  const heap = ids.subarray(0, length);
  const after = (a: number, b: number): boolean => precedes(values, b, a);
  heapify(heap, after);
  // A later token with the same logit comes after, so that > is the whole comparison.
  let bar = values[heap[0] ?? 0] ?? 0;
  for (; id < values.length; id += 1) {
    if (!((values[id] ?? NaN) > bar)) continue;
    heap[0] = id;
    sink(heap, 0, heap.length, after);
    bar = values[heap[0]] ?? 0;
  }
  return heap;
}

/**
 * Takes tokens out of `ids`, the most probable first, as long as `take` answers true.
 *
 * @returns The end of `ids`, where those that were taken now stand, the first of them last.
 */
export function takeInOrder(
  values: Float32Array,
  ids: Int32Array,
  take: (id: number) => boolean,
): Int32Array {
  const before = (a: number, b: number): boolean => precedes(values, a, b);
  heapify(ids, before);
  let rest = ids.length;
  while (rest > 0) {
    const id = ids[0] ?? 0;
    rest -= 1;
    ids[0] = ids[rest] ?? 0;
    ids[rest] = id;
    sink(ids, 0, rest, before);
    if (!take(id)) break;
  }
  return ids.subarray(rest);
}

type Before = (a: number, b: number) => boolean;

function heapify(heap: Int32Array, before: Before): void {
  for (let i = (heap.length >>> 1) - 1; i >= 0; i -= 1) sink(heap, i, heap.length, before);
}

/** Moves the id at `from` down until it comes before both of its children. */
function sink(heap: Int32Array, from: number, length: number, before: Before): void {
  if (from >= length) return;
  const moved = heap[from] ?? 0;
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= length) break;
    const right = child + 1;
    if (right < length && before(heap[right] ?? 0, heap[child] ?? 0)) child = right;
    const next = heap[child] ?? 0;
    if (!before(next, moved)) break;
    heap[at] = next;
    at = child;
  }
  heap[at] = moved;
}
