export { isNibbleError, NibbleError } from "./errors.js";
export type { NibbleErrorCode, NibbleErrorDetails } from "./errors.js";
export { formats } from "./formats.js";
export type { Format, FormatName } from "./formats.js";
export type { LongCallOptions, Progress, ThreadedCallOptions } from "./progress.js";

export { openSource as inspect } from "./sources/open.js";
export type {
  MetadataEntry,
  ModelInfo,
  Piece,
  Scalar,
  ScalarType,
  SourceFile,
  TensorInfo,
  TensorTransform,
} from "./sources/model-info.js";
export type {
  Mxfp4Encoding,
  NumberGrid,
  PieceEncoding,
  ScaledEncoding,
} from "./sources/piece-encoding.js";

export { plan } from "./plan/plan-source.js";
export type { PlanSourceOptions } from "./plan/plan-source.js";
export type { PlanOptions } from "./plan/plan.js";
export { recipes } from "./plan/recipes.js";
export type { Recipe, RecipeName } from "./plan/recipes.js";
export type { TensorTypeOverride } from "./plan/overrides.js";
export type { ImportanceCoverage, ImportanceGap } from "./plan/importance-coverage.js";
export type { PlannedTensor, QuantizePlan } from "./plan/types.js";

export { diffModels } from "./quantize/diff-models.js";
export type { DiffReport, MetadataDifference, TensorDifference } from "./quantize/diff-models.js";
export { editMetadata } from "./quantize/edit-metadata.js";
export type { EditMetadataOptions, EditMetadataReport } from "./quantize/edit-metadata.js";
export { hashModel } from "./quantize/hash-model.js";
export type { HashedTensor, HashReport } from "./quantize/hash-model.js";
export { mergeModel } from "./quantize/merge-model.js";
export type { CopyOptions, MergeReport } from "./quantize/merge-model.js";
export { splitModel } from "./quantize/split-model.js";
export type { SplitOptions, SplitPart, SplitReport } from "./quantize/split-model.js";
export { quantize, quantizeMethods } from "./quantize/quantize.js";
export type {
  QuantizedPart,
  QuantizedTensor,
  QuantizeMethod,
  QuantizeOptions,
  QuantizeReport,
  WriteOptions,
} from "./quantize/quantize.js";
export { verify } from "./quantize/verify.js";
export type { VerifiedTensor, VerifyOptions, VerifyReport } from "./quantize/verify.js";

export { devices } from "./run/devices.js";
export type { Device } from "./run/devices.js";

export { bench } from "./run/bench.js";
export type { BenchOptions, BenchReport, BenchResult, BenchTest } from "./run/bench.js";
export type { EngineName, RunOptions } from "./run/engine.js";
export { generate } from "./run/generate.js";
export type { GenerateOptions } from "./run/generate.js";
export { readImportanceMatrix, writeImportanceMatrix } from "./imatrix/file.js";
export type { ReadImportanceOptions, WriteImportanceOptions } from "./imatrix/file.js";
export { mergeImportanceMatrices } from "./imatrix/merge.js";
export { importanceStatistics, importanceWarnings } from "./imatrix/statistics.js";
export type { ImportanceStatistics, ImportanceWarning } from "./imatrix/statistics.js";
export type { ImportanceEntry, ImportanceMatrix } from "./imatrix/types.js";
export { createChat } from "./run/chat.js";
export type { Chat, ChatOptions } from "./run/chat.js";
export type { ChatMessage } from "./run/chat-template.js";
export type { DivergenceReport, Estimate } from "./run/divergence.js";
export type { SamplingOptions } from "./run/sampling.js";
export { imatrix } from "./run/imatrix.js";
export type { ImportanceOptions } from "./run/imatrix.js";
export { perplexity } from "./run/perplexity.js";
export type { PerplexityOptions, PerplexityReport } from "./run/perplexity.js";

export { tokenize } from "./tokenizer/tokenize.js";
export type { TokenizeOptions, TokenizeReport } from "./tokenizer/tokenize.js";
export { createTokenizer } from "./tokenizer/tokenizer.js";
export type {
  DecodeOptions,
  Decoder,
  EncodeOptions,
  Tokenizer,
  TokenizerModel,
  TokenizerOptions,
  TokenizerSource,
} from "./tokenizer/tokenizer.js";
