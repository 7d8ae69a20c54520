/** Every reason for which Nibble fails, with the exit status of the command line. */
export const exitStatus = {
  /** The caller gave an option that does not make sense. */
  ERR_ARGUMENT: 2,
  /** The file is damaged or hostile. */
  ERR_FORMAT: 3,
  /** The input is good, but Nibble cannot handle it. */
  ERR_UNSUPPORTED: 3,
  /** The recipe does not fit the model. */
  ERR_PLAN: 3,
  /** The disk or the operating system refused. */
  ERR_IO: 4,
  /** A GPU refused. */
  ERR_DEVICE: 4,
  /** What was written is outside its error limit. */
  ERR_VERIFY: 5,
  /** The native addon could not be loaded. */
  ERR_NATIVE_LOAD: 6,
  /** A bug of ours. */
  ERR_INTERNAL: 70,
} as const;

/** Exit status after Ctrl-C, by the shells' convention. */
export const exitStatusAborted = 130;

export type NibbleErrorCode = keyof typeof exitStatus;

/** What an error of each code tells besides its message. */
export interface NibbleErrorDetails {
  ERR_ARGUMENT: { readonly option: string; readonly expected: string };
  ERR_FORMAT: { readonly path: string; readonly offset?: number; readonly field: string };
  ERR_UNSUPPORTED: { readonly what: string; readonly value: string };
  ERR_PLAN: { readonly tensor?: string; readonly type?: string; readonly reason: string };
  ERR_IO: { readonly path: string; readonly errno: string };
  ERR_DEVICE: { readonly device: string; readonly reason: string };
  ERR_VERIFY: { readonly tensor: string; readonly rmse: number; readonly limit: number };
  ERR_NATIVE_LOAD: { readonly tried: readonly string[] };
  ERR_INTERNAL: Record<string, never>;
}

const brand = Symbol.for("nibble-gguf.error");

/** The one error class: `code` says whose fault it is, `details` what and where, the message what to do. */
export class NibbleError<C extends NibbleErrorCode = NibbleErrorCode> extends Error {
  override readonly name = "NibbleError";
  readonly code: C;
  readonly details: NibbleErrorDetails[C];

  constructor(code: C, message: string, details: NibbleErrorDetails[C], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
    // A symbol, not `instanceof`: it holds across realms and across two copies of the package.
    Object.defineProperty(this, brand, { value: true });
  }
}

/** Whether `error` is one of ours, and of `code` if that is given. */
export function isNibbleError<C extends NibbleErrorCode = NibbleErrorCode>(
  error: unknown,
  code?: C,
): error is NibbleError<C> {
  return (
    typeof error === "object" &&
    error !== null &&
    (error as Record<symbol, unknown>)[brand] === true &&
    (code === undefined || (error as NibbleError).code === code)
  );
}

/** An argument that does not make sense: `option` is its name, `expected` what would do. */
export function argumentError(option: string, expected: string, actual: unknown): NibbleError {
  const shown = typeof actual === "string" ? JSON.stringify(actual) : String(actual);
  return new NibbleError("ERR_ARGUMENT", `${option}: expected ${expected}, got ${shown}`, {
    option,
    expected,
  });
}

/** An error of the operating system as ours; anything else comes back as it is. */
export function ioError(error: unknown, path: string, doing: string): unknown {
  if (isNibbleError(error) || !(error instanceof Error) || !("code" in error)) return error;
  const errno = String(error.code);
  const reason = ioReasons[errno] ?? error.message;
  return new NibbleError(
    "ERR_IO",
    `${path}: cannot ${doing}: ${reason} (${errno})`,
    { path, errno },
    { cause: error },
  );
}

const ioReasons: Record<string, string> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "the disk is full; free some space or choose another output",
  EROFS: "the file system is read-only",
  EMFILE: "too many open files",
  EFBIG: "the file system cannot hold a file of that size",
};
