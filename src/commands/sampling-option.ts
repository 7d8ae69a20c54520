import type { GenerateOptions } from "../run/generate.js";
import { samplingDefaults, type SamplingOptions } from "../run/sampling.js";
import { integerOption } from "./shared.js";

/** Options of the commands that write text, by llama.cpp's names. */
export const samplingOptions = {
  temp: {
    type: "number",
    default: samplingDefaults.temperature,
    requiresArg: true,
    describe: "0 takes the most probable token, more is more varied",
  },
  "top-k": {
    type: "number",
    default: samplingDefaults.topK,
    requiresArg: true,
    describe: "keep so many of the most probable tokens (0: all)",
  },
  "top-p": {
    type: "number",
    default: samplingDefaults.topP,
    requiresArg: true,
    describe: "keep the fewest whose probabilities reach this sum (1: all)",
  },
  "min-p": {
    type: "number",
    default: samplingDefaults.minP,
    requiresArg: true,
    describe: "keep those at least this part as probable as the first (0: all)",
  },
  "repeat-penalty": {
    type: "number",
    default: samplingDefaults.repeatPenalty,
    requiresArg: true,
    describe: "make tokens that came lately less probable (1: off)",
  },
  "repeat-last-n": {
    type: "number",
    default: samplingDefaults.repeatLastN,
    requiresArg: true,
    describe: "how many tokens count as lately",
  },
  seed: {
    alias: "s",
    type: "number",
    requiresArg: true,
    describe: "the same seed gives the same text",
  },
  stop: {
    type: "string",
    array: true,
    requiresArg: true,
    describe: "end where this text comes up (repeatable)",
  },
} as const;

interface SamplingArguments {
  readonly temp: number;
  readonly "top-k": number;
  readonly "top-p": number;
  readonly "min-p": number;
  readonly "repeat-penalty": number;
  readonly "repeat-last-n": number;
  readonly seed?: number | undefined;
  readonly stop?: readonly string[] | undefined;
}

/** What they say, as the API takes it. */
export function samplingChoice(
  argv: SamplingArguments,
): SamplingOptions & Pick<GenerateOptions, "stop"> {
  return {
    temperature: argv.temp,
    topK: argv["top-k"],
    topP: argv["top-p"],
    minP: argv["min-p"],
    repeatPenalty: argv["repeat-penalty"],
    repeatLastN: argv["repeat-last-n"],
    seed: integerOption("--seed", argv.seed, 0),
    stop: argv.stop,
  };
}
