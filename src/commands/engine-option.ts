import { argumentError } from "../errors.js";
import { engineNames, type CacheType, type EngineName, type RunOptions } from "../run/engine.js";

const cacheTypes: readonly CacheType[] = ["F16", "Q8_0"];

/** Options of the commands that run a model with one engine. */
export const engineOptions = {
  engine: {
    type: "string",
    default: engineNames[0] ?? "",
    requiresArg: true,
    describe: `what computes: ${engineNames.join(", ")}`,
  },
  "cache-type": {
    type: "string",
    default: cacheTypes[0] ?? "",
    requiresArg: true,
    describe: `how keys and values are kept (native): ${cacheTypes.join(", ")}`,
  },
  pre: {
    type: "string",
    requiresArg: true,
    describe: "cut text as llama.cpp's pre-tokenizer of that name does (native)",
  },
} as const;

interface EngineArguments {
  readonly engine: string;
  readonly "cache-type": string;
  readonly pre?: string | undefined;
}

/** What they say, as the API takes it. */
export function engineChoice(argv: EngineArguments): Pick<RunOptions, "engine" | "cache" | "pre"> {
  return {
    engine: engineOf(argv.engine),
    cache: cacheOf(argv["cache-type"]),
    pre: argv.pre,
  };
}

/** The engine of that name. */
export function engineOf(name: string): EngineName {
  return oneOf("--engine", engineNames, name);
}

/** The type of cache of that name, which llama.cpp's users write in small letters. */
export function cacheOf(name: string): CacheType {
  return oneOf("--cache-type", cacheTypes, name.toUpperCase());
}

function oneOf<T extends string>(option: string, known: readonly T[], name: string): T {
  const found = known.find((each) => each === name);
  if (found === undefined) throw argumentError(option, known.join(" or "), name);
  return found;
}
