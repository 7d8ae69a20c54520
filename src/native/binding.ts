/** The addon's whole surface. Native code trusts these shapes: whoever calls has validated the values. */

/** A span of bytes in one of the job's inputs: whole rows, or part of the only one. */
export interface NativePiece {
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
  /** Where the rows are not values of the task's `stored`. */
  readonly encoding?: NativeEncoding | undefined;
}

/** A matrix of numbers in an input (native/encodings/number_grid.h). */
export interface NativeNumberGrid {
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
  readonly rows: number;
  readonly columns: number;
  readonly type: "E4M3" | "E5M2" | "E8M0" | "I8" | "U8" | "F16" | "BF16" | "F32" | "I32";
  readonly byColumns?: boolean;
  /** Of I32 and of no other type. */
  readonly packing?: {
    readonly bits: number;
    readonly down?: boolean;
    readonly awqOrder?: boolean;
  };
}

/** Some rows of an encoded matrix: firstRow, firstRow + rowStep ... (native/encodings/encoded_rows.h). */
export type NativeEncoding = {
  readonly rows: number;
  readonly firstRow: number;
  readonly rowStep: number;
  readonly codes: NativeNumberGrid;
} & (
  | {
      readonly kind: "scaled";
      readonly scales?: NativeNumberGrid;
      readonly zeros?: NativeNumberGrid;
      readonly zeroBias: number;
      readonly rowsPerScale: number;
      readonly columnsPerScale: number;
      readonly groups?: { readonly file: number; readonly offset: number };
    }
  | { readonly kind: "mxfp4"; readonly scales: NativeNumberGrid }
);

/** A file that is read, and how long it was when its header was parsed: another length is an error. */
export interface NativeInput {
  readonly path: string;
  readonly bytes: number;
}

/** One tensor to stream. */
export interface NativeTask {
  readonly name: string;
  /** In order; empty where there are `values`, or no source. */
  readonly pieces: readonly NativePiece[];
  readonly values?: Float32Array | undefined;
  /** ggml id of the pieces that are not encoded. */
  readonly stored: number;
  /** ggml ids. What reading gives is `stored`, or F32 of values that are computed; equal ids copy the bytes. */
  readonly from: number;
  readonly to: number;
  /** Values in a row, rows in all (over every higher dimension). */
  readonly perRow: number;
  readonly rows: number;
  /** 0, or the head size of `interleave-halves`. */
  readonly headDim: number;
  /** Every piece holds its matrix by columns. */
  readonly transposed: boolean;
  /** Every value gets 1 more. */
  readonly plusOne: boolean;
  /** Bytes from the start of the output. */
  readonly outputOffset: number;
  /** Experts x perRow: how much each column counts. Finite, at least 0; not looked at where nothing is quantized. */
  readonly importance?: Float32Array | undefined;
}

export interface NativeProgress {
  /** Bytes of source that are done. */
  readonly done: number;
  /** Indices of tasks that have finished since the last call: their bytes are with the operating system. */
  readonly finished: readonly number[];
}

/** A job on a thread of its own; `promise` settles when nothing of it runs any more. */
export interface NativeJob<T> {
  readonly promise: Promise<T>;
  cancel(): void;
  progress(): NativeProgress;
}

export interface StreamOptions {
  readonly inputs: readonly NativeInput[];
  /** An existing file of the final length. */
  readonly output: string;
  readonly tasks: readonly NativeTask[];
  readonly threads: number;
}

/** What comparing a tensor with its source gives; sums are in double, in an order that threads do not change. */
export interface NativeErrorStats {
  /** Values that are NaN or infinite. */
  readonly nonFinite: number;
  /** Blocks whose fields no quantizer writes (a scale that is NaN or infinite). */
  readonly invalidBlocks: number;
  readonly maxAbsError: number;
  /** Sum of (x - y)^2, sum of x^2 over the tensor; x is the source, y what was written. */
  readonly sumSquaredError: number;
  readonly sumSquares: number;
}

/** A second, all threads together. */
export interface NativeMachineLimits {
  readonly readBytes: number;
  readonly copyBytes: number;
  readonly int8Operations: number;
  readonly f32Operations: number;
}

export interface NativeMachine {
  /** The instruction sets that this machine runs and the addon has, best first; `generic` is always last. */
  readonly isas: readonly string[];
  /** The one in use: the best, or NIBBLE_FORCE_ISA. */
  readonly isa: string;
  /** Cores that this process may use (affinity and cgroup). */
  readonly cores: number;
}

export interface NativeFormat {
  readonly name: string;
  readonly id: number;
  readonly values: number;
  readonly bytes: number;
  readonly codec: boolean;
}

/** Where a tensor of the graph lies; its shape is checked. */
export interface NativePlace {
  /** The graph's name, without `blk.N.`. */
  readonly name: string;
  /** The file's, of which it is all or some rows; without `blk.N.`. */
  readonly source: string;
  readonly file: number;
  readonly offset: number;
  /** ggml id; of matrices any that has a codec, of vectors F32. */
  readonly format: number;
  readonly perRow: number;
  readonly rows: number;
}

export interface NativeRope {
  /** Radians per token for every pair; empty where nothing is turned. */
  readonly frequencies: Float64Array;
  /** Instead of them in contexts of more than `longFrom` tokens; empty where there are none. */
  readonly longFrequencies: Float64Array;
  readonly longFrom: number;
  /** Of cosine and sine. */
  readonly scale: number;
}

export interface NativeLayer {
  /** 0: none. */
  readonly window: number;
  /** Index into `ropes`. */
  readonly rope: number;
  /** Attention and feed-forward read the same residual stream. */
  readonly isParallel: boolean;
}

/** A model as native/model/config.h has it. */
export interface NativeModelConfig {
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffnWidth: number;
  readonly vocabulary: number;
  /** Learned ones, which no context may go beyond; 0: none. */
  readonly positions: number;
  readonly normsCentered: boolean;
  readonly normEps: number;
  /** Else SiLU. */
  readonly usesGelu: boolean;
  readonly embeddingScale: number;
  readonly residualScale: number;
  readonly attentionScale: number;
  /** 0: none; so for logits. */
  readonly attentionCap: number;
  readonly logitScale: number;
  readonly logitCap: number;
  /** Value pairs (i, i + dims / 2) are turned; else (2i, 2i + 1). */
  readonly ropeHalves: boolean;
  readonly ropes: readonly NativeRope[];
  readonly layers: readonly NativeLayer[];
  readonly experts: NativeExperts;
}

export interface NativeExperts {
  /** 0: none. */
  readonly count: number;
  /** That a token goes to. */
  readonly used: number;
  readonly width: number;
  readonly sumToOne: boolean;
  /** Of the expert that every token goes to; 0: none. */
  readonly sharedWidth: number;
}

export interface NativeModelOptions {
  readonly files: readonly NativeInput[];
  readonly config: NativeModelConfig;
  readonly tensors: readonly NativePlace[];
  readonly layers: readonly (readonly NativePlace[])[];
}

/** A model that is mapped from its files. What still runs keeps it after `dispose`. */
export interface NativeModel {
  createContext(options: {
    readonly capacity: number;
    readonly threads: number;
    readonly cache: "F16" | "Q8_0";
  }): NativeJob<NativeContext>;
  dispose(): void;
}

/** Sums over the inputs of one matrix, per column; of experts' matrices those of each behind those of the one before. */
export interface NativeImportance {
  readonly name: string;
  /** Per expert; of a plain matrix one number. */
  readonly rows: Float64Array;
  readonly sumsOfSquares: Float64Array;
  readonly sums: Float64Array;
}

/** A sequence. One job at a time. */
export interface NativeContext {
  /**
   * Reads tokens; progress counts them. What tokens[keep] and all after it need for their logits is kept until the next
   * call. `wantsLogits` gives those of the last token (else an empty array); then something has to be kept.
   */
  evaluate(tokens: Int32Array, keep: number, wantsLogits: boolean): NativeJob<Float32Array>;
  /** Of kept tokens first, first + 1 ...: count x vocabulary. */
  logits(first: number, count: number): NativeJob<Float32Array>;
  /** ln of the probability of targets[i] after kept token first + i. */
  logProbabilities(first: number, targets: Int32Array): NativeJob<Float64Array>;
  /** Forgets all tokens behind the first `tokens`. */
  truncate(tokens: number): void;
  /** From now on the inputs of the layers' matrices are summed up. */
  collectImportance(): void;
  importance(): NativeImportance[];
  dispose(): void;
}

export interface Addon {
  machine(): NativeMachine;
  formats(): NativeFormat[];
  /** Source to output, tile by tile. */
  quantizeStream(options: StreamOptions): NativeJob<{ bytesRead: number; bytesWritten: number }>;
  /** Reads both again: one row of figures per task. Without `inputs` the output alone is looked at. */
  compareStream(options: StreamOptions): NativeJob<NativeErrorStats[]>;
  /** Maps the files; reads nothing yet. */
  loadModel(options: NativeModelOptions): NativeModel;
  /** What so many threads can do at most; takes some seconds. */
  measureMachine(threads: number): NativeJob<NativeMachineLimits>;
  /** f32 to blocks; `isa` names a kernel other than the one in use. For tests and small data. */
  quantizeRows(format: number, values: Float32Array, isa?: string): Uint8Array;
  /** The same for rows of as many values as there are importances (finite, at least 0). */
  quantizeWeightedRows(
    format: number,
    values: Float32Array,
    importance: Float32Array,
    isa?: string,
  ): Uint8Array;
  /** Blocks to f32. */
  dequantizeRows(format: number, blocks: Uint8Array, isa?: string): Float32Array;
}
