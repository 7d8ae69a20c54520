import { NibbleError } from "../errors.js";
import type { FormatName } from "../formats.js";
import type { NativeErrorStats } from "../native/binding.js";
import { errorLimit } from "./error-limits.js";

/** How far a tensor is from its source. */
export interface TensorError {
  /** Root of the mean of the squared differences, in the weights' own unit. */
  readonly rmse: number;
  /** `rmse` over the root mean square of the source; 0 for a source of zeros. */
  readonly relativeRmse: number;
  readonly maxAbsError: number;
}

/** `values` is the number of values that `stats` is about. */
export function tensorError(stats: NativeErrorStats, values: number): TensorError {
  return {
    rmse: Math.sqrt(stats.sumSquaredError / values),
    relativeRmse: stats.sumSquares > 0 ? Math.sqrt(stats.sumSquaredError / stats.sumSquares) : 0,
    maxAbsError: stats.maxAbsError,
  };
}

/** What is wrong with a tensor, or what is worth a warning: then the file is as it has to be. */
export interface TensorFinding {
  readonly error: NibbleError<"ERR_VERIFY">;
  readonly isWarning: boolean;
}

/**
 * What there is to say of a tensor that was written; undefined if all is well.
 *
 * `stats` compares it with its source, `values` is how many values it has, `isWeighted` whether importance may have
 * decided its bytes.
 */
export function tensorFinding(
  { name, from, to }: { readonly name: string; readonly from: FormatName; readonly to: FormatName },
  stats: NativeErrorStats,
  values: number,
  isWeighted: boolean,
): TensorFinding | undefined {
  const { rmse } = tensorError(stats, values);
  const limit = errorLimit(from, to, isWeighted);
  const rms = Math.sqrt(stats.sumSquares / values);
  const allowed = limit === undefined ? 0 : limit.relative * rms + limit.absolute;
  const problem = (what: string, isWarning = false): TensorFinding => ({
    error: new NibbleError("ERR_VERIFY", `${name}: ${what}`, {
      tensor: name,
      rmse,
      limit: allowed,
    }),
    isWarning,
  });
  if (stats.nonFinite > 0) {
    return problem(`${stats.nonFinite} of ${values} values are NaN or infinite as ${to}`);
  }
  if (stats.invalidBlocks > 0)
    return problem(`${stats.invalidBlocks} blocks of ${to} are not valid`);
  if (limit !== undefined && !(rmse <= allowed)) {
    const shown = `the error as ${to} is ${rmse.toPrecision(4)}, more than`;
    return limit.usual === true
      ? problem(`${shown} that of zeros; give it a wider type with --tensor-type`, true)
      : problem(`${shown} the limit of ${allowed.toPrecision(4)}`);
  }
  return undefined;
}
