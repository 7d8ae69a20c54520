import { argumentError, NibbleError } from "../errors.js";
import { entryProblem, type ImportanceEntry, type ImportanceMatrix } from "./types.js";

/**
 * One matrix of several: sums and counts are added, so that every row of every text counts the same. Entries that only
 * some have are kept; `sums` are kept where all that have the entry have them. Of unequal chunk sizes the mean is kept.
 *
 * @throws NibbleError ERR_ARGUMENT for an empty list, ERR_PLAN where a tensor has two shapes, or sums beyond F32.
 */
export function mergeImportanceMatrices(list: readonly ImportanceMatrix[]): ImportanceMatrix {
  const [first] = list;
  if (first === undefined)
    throw argumentError("matrices", "at least one importance matrix", "none");
  const groups = new Map<string, [ImportanceEntry, ...ImportanceEntry[]]>();
  for (const entry of list.flatMap(({ entries }) => entries)) {
    const group = groups.get(entry.name);
    if (group === undefined) groups.set(entry.name, [entry]);
    else group.push(entry);
  }
  const chunks = list.reduce((total, matrix) => total + matrix.chunks, 0);
  const tokens = list.reduce((total, matrix) => total + matrix.chunks * matrix.chunkSize, 0);
  return {
    entries: [...groups.values()].map(mergeEntries),
    chunks,
    chunkSize: chunks === 0 ? first.chunkSize : Math.round(tokens / chunks),
    datasets: [...new Set(list.flatMap(({ datasets }) => datasets))],
  };
}

function mergeEntries(group: readonly [ImportanceEntry, ...ImportanceEntry[]]): ImportanceEntry {
  const [{ name, columns, experts }] = group;
  for (const other of group) {
    if (other.columns === columns && other.experts === experts) continue;
    const reason = `has ${experts} x ${columns} columns in one importance matrix and ${other.experts} x ${other.columns} in another`;
    throw cannotMerge(name, reason);
  }
  const sums = group.flatMap((entry) => (entry.sums === undefined ? [] : [entry.sums]));
  const merged: ImportanceEntry = {
    name,
    columns,
    experts,
    sumsOfSquares: added(group.map((entry) => entry.sumsOfSquares)),
    counts: added(group.map((entry) => entry.counts)),
    ...(sums.length === group.length ? { sums: added(sums) } : {}),
  };
  const problem = entryProblem(merged);
  if (problem !== undefined) throw cannotMerge(name, `cannot be merged: ${problem}`);
  return merged;
}

function cannotMerge(tensor: string, reason: string): NibbleError {
  return new NibbleError("ERR_PLAN", `${tensor}: ${reason}`, { tensor, reason });
}

/** The sum in doubles, rounded once: the order of the list makes no difference worth a bit. */
function added(list: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array()] = list;
  const sum = new Float64Array(first.length);
  for (const values of list) {
    for (let i = 0; i < sum.length; i += 1) sum[i] = (sum[i] ?? 0) + (values[i] ?? 0);
  }
  return Float32Array.from(sum);
}
