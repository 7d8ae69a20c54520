import type { ArgumentsCamelCase, InferredOptionTypes } from "yargs";
import { argumentError, NibbleError } from "../errors.js";
import type { PlanSourceOptions } from "../plan/plan-source.js";
import type { QuantizeMethod } from "../quantize/quantize.js";
import { defineCommand } from "./shared.js";
import { modelAndOutput, writeModel, writeOptions } from "./write-model.js";

const typeOptions = {
  type: {
    type: "string",
    requiresArg: true,
    describe: "what to quantize to: Q8_0, Q6_K, Q4_K_M ...",
  },
  "tensor-type": {
    type: "string",
    array: true,
    requiresArg: true,
    describe: "REGEX=TYPE: type of the tensors whose name matches (repeatable)",
  },
  "output-tensor-type": { type: "string", requiresArg: true, describe: "type of output.weight" },
  "token-embedding-type": {
    type: "string",
    requiresArg: true,
    describe: "type of token_embd.weight",
  },
  "leave-output-tensor": {
    type: "boolean",
    default: false,
    describe: "keep output.weight as it is",
  },
  imatrix: {
    type: "string",
    requiresArg: true,
    describe: "importance matrix (GGUF or .dat): what matters is rounded with more care",
  },
  "include-weights": {
    type: "string",
    array: true,
    requiresArg: true,
    describe: "use only its entries whose name contains this (repeatable)",
  },
  "exclude-weights": {
    type: "string",
    array: true,
    requiresArg: true,
    describe: "do not use its entries whose name contains this (repeatable)",
  },
  pure: { type: "boolean", default: false, describe: "one type for every tensor that can have it" },
  "allow-requantize": {
    type: "boolean",
    default: false,
    describe: "quantize what is quantized already (worse than from the original)",
  },
  "keep-split": {
    type: "boolean",
    default: false,
    describe: "write as many files as a split GGUF has, with the same tensors in each",
  },
  "prune-layers": {
    type: "string",
    requiresArg: true,
    describe: "leave out these layers and number the others anew: 3,5-7 (counted from 0)",
  },
  "override-kv": {
    type: "string",
    array: true,
    requiresArg: true,
    describe:
      "KEY=TYPE:VALUE, TYPE one of int, float, bool, str: metadata in the output (repeatable)",
  },
  method: {
    type: "string",
    default: "reference",
    requiresArg: true,
    describe: "reference: byte for byte what llama-quantize writes",
  },
} as const;

export const quantizeCommand = defineCommand(
  "quantize <model> [output]",
  "make a quantized GGUF of a Hugging Face directory or a GGUF",
  (yargs) =>
    modelAndOutput(yargs, "a Hugging Face directory, or a GGUF file")
      .options({ ...typeOptions, ...writeOptions })
      .example("$0 quantize ./Qwen3-0.6B --type Q4_K_M", "writes Qwen3-0.6B-Q4_K_M.gguf")
      .example("$0 quantize model-F16.gguf --type Q3_K_M --imatrix imatrix.gguf", "with care")
      .example("$0 quantize m-00001-of-00003.gguf q4 --type Q4_0 --keep-split", "q4-00001-of-...")
      .example("$0 quantize m.gguf --type Q4_K_M --prune-layers 20-23", "without four layers")
      .example("$0 quantize m.gguf --type Q8_0 --override-kv general.name=str:Mine", "a new name"),
  async (argv, context) =>
    writeModel(argv, context, await planOptions(argv), await methodOf(argv.method)),
);

type TypeArguments = ArgumentsCamelCase<InferredOptionTypes<typeof typeOptions>>;

async function planOptions(argv: TypeArguments): Promise<PlanSourceOptions> {
  const { findRecipe, recipes } = await import("../plan/recipes.js");
  const { parseOverride } = await import("../plan/overrides.js");
  const { parseLayers } = await import("../plan/prune-layers.js");
  const { parseKvOverride } = await import("../plan/metadata-overrides.js");
  const { type, tensorType = [], outputTensorType, tokenEmbeddingType } = argv;
  const { leaveOutputTensor, pure, allowRequantize, pruneLayers, overrideKv = [] } = argv;
  if (type === undefined) {
    const expected = `one of ${recipes.map(({ name }) => name).join(", ")}`;
    const details = { option: "--type", expected };
    throw new NibbleError("ERR_ARGUMENT", `--type is missing: give ${expected}`, details);
  }
  return {
    recipe: findRecipe(type).name,
    tensorTypes: tensorType.map(parseOverride),
    ...(outputTensorType !== undefined && { outputTensorType }),
    ...(tokenEmbeddingType !== undefined && { tokenEmbeddingType }),
    ...{ leaveOutputTensor, pure, allowRequantize },
    ...{ imatrix: argv.imatrix, includeWeights: argv.includeWeights },
    ...{ excludeWeights: argv.excludeWeights, keepSplit: argv.keepSplit },
    ...(pruneLayers !== undefined && { pruneLayers: parseLayers("--prune-layers", pruneLayers) }),
    overrideKv: overrideKv.map(parseKvOverride),
  };
}

async function methodOf(name: string): Promise<QuantizeMethod> {
  const { quantizeMethods } = await import("../quantize/quantize.js");
  const { oneOf } = await import("../plan/nearest-name.js");
  const method = quantizeMethods.find((candidate) => candidate === name);
  if (method === undefined) throw argumentError("--method", oneOf(name, quantizeMethods), name);
  return method;
}
