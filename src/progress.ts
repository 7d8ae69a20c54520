/** How far a long call has come; `total` is exact from the first report on. */
export interface Progress {
  /** What is being done, in one word or two: "quantize", "verify", "perplexity". */
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  readonly unit: "bytes" | "tokens" | "tests";
  /** The item at hand (a tensor, a file) or a running result, where there is one. */
  readonly label?: string;
}

/** What every long call takes. */
export interface LongCallOptions {
  /** Stops the call within 100 ms; `signal.reason` is thrown as it is. */
  readonly signal?: AbortSignal | undefined;
  /** Called on the JS thread, at most ten times a second. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** What a long call that computes takes. */
export interface ThreadedCallOptions extends LongCallOptions {
  /** Compute threads, 1 to the number of cores that this process may use (the default). */
  readonly threads?: number | undefined;
}
