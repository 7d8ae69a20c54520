/** The addon's whole surface. Native code trusts these shapes: whoever calls has validated the values. */

/** A span of bytes in one of the job's inputs. */
export interface NativePiece {
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
}

/** A file that is read, and how long it was when its header was parsed: another length is an error. */
export interface NativeInput {
  readonly path: string;
  readonly bytes: number;
}

/** One tensor to stream. */
export interface NativeTask {
  readonly name: string;
  readonly pieces: readonly NativePiece[];
  /** ggml ids. Equal ids copy the bytes (after the transform of rows). */
  readonly from: number;
  readonly to: number;
  /** Values in a row, rows in all (over every higher dimension). */
  readonly perRow: number;
  readonly rows: number;
  /** 0, or the head size of `interleave-halves`. */
  readonly headDim: number;
  /** Bytes from the start of the output. */
  readonly outputOffset: number;
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

export interface Addon {
  machine(): NativeMachine;
  formats(): NativeFormat[];
  /** Source to output, tile by tile. */
  quantizeStream(options: StreamOptions): NativeJob<{ bytesRead: number; bytesWritten: number }>;
  /** Reads both again: one row of figures per task. Without `inputs` the output alone is looked at. */
  compareStream(options: StreamOptions): NativeJob<NativeErrorStats[]>;
  /** f32 to blocks; `isa` names a kernel other than the one in use. For tests and small data. */
  quantizeRows(format: number, values: Float32Array, isa?: string): Uint8Array;
  /** Blocks to f32. */
  dequantizeRows(format: number, blocks: Uint8Array, isa?: string): Float32Array;
}
