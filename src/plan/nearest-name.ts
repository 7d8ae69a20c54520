/**
 * The candidate that takes the fewest edits to become `name`, whatever the case of either; the first of several, and
 * undefined only where there are no candidates.
 */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const wanted = name.toUpperCase();
  let nearest: string | undefined;
  let fewest = Infinity;
  for (const candidate of candidates) {
    const edits = editDistance(wanted, candidate.toUpperCase());
    if (edits < fewest) [nearest, fewest] = [candidate, edits];
  }
  return nearest;
}

/** How an error lists what would do: `one of A, B (did you mean B?)`. */
export function oneOf(name: string, candidates: readonly string[]): string {
  // Comparing takes time in proportion to the length, and nothing so long is a slip of the hand.
  const nearest = name.length <= 100 ? nearestName(name, candidates) : undefined;
  const hint = nearest === undefined ? "" : ` (did you mean ${nearest}?)`;
  return `one of ${candidates.join(", ")}${hint}`;
}

/** Levenshtein's distance, one row of its table at a time: insert, delete or replace a character. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
