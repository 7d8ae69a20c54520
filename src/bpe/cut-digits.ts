/**
 * Cuts every run of digits into threes, counted from its end: `1234567` is 1, 234, 567.
 *
 * @param runs finds the runs.
 * @param cuts "before" each group of three, so that what follows the run stays with its last group; or "behind" each
 * group, so that what precedes the run stays with its first group.
 */
export function cutDigits(text: string, runs: RegExp, cuts: "before" | "behind"): string[] {
  const result: string[] = [];
  let start = 0;
  const cut = (at: number): void => {
    if (at > start) result.push(text.slice(start, at));
    start = at;
  };
  for (const { 0: run, index } of text.matchAll(runs)) {
    const ends = digitEnds(run);
    const digits = ends.length;
    for (let group = digits % 3; group <= digits; group += 3) {
      const isCut = cuts === "before" ? group < digits : group > 0;
      if (isCut) cut(index + (ends[group - 1] ?? 0));
    }
  }
  cut(text.length);
  return result;
}

/** Where each digit ends: a digit beyond the basic plane is two units. */
function digitEnds(run: string): number[] {
  let end = 0;
  return Array.from(run, (digit) => (end += digit.length));
}
