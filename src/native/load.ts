import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { isNibbleError, NibbleError } from "../errors.js";
import type { Addon, NativeMachine } from "./binding.js";

const require = createRequire(import.meta.url);
const ownBuild = fileURLToPath(new URL("../../build/Release/nibble.node", import.meta.url));

/** Where the addon may lie, best first: built here, then the package of this platform. */
function candidates(): readonly string[] {
  return [ownBuild, `@nibble-gguf/${process.platform}-${process.arch}/nibble.node`];
}

let loaded: Addon | undefined;

/**
 * The native addon, loaded once.
 *
 * @throws NibbleError ERR_NATIVE_LOAD where there is none for this system, with what was tried and what helps.
 */
export function loadAddon(): Addon {
  if (loaded) return loaded;
  const failures: string[] = [];
  for (const path of candidates()) {
    try {
      loaded = require(path) as Addon;
      return loaded;
    } catch (error) {
      failures.push(`${path}: ${firstLine(error)}`);
    }
  }
  throw new NibbleError(
    "ERR_NATIVE_LOAD",
    `the native addon could not be loaded for ${process.platform}-${process.arch}, Node ${process.versions.node}; ${remedy()}`,
    { tried: failures },
  );
}

function remedy(): string {
  if (existsSync(ownBuild)) {
    return "it was built for another system: run `npm run build` in the package's folder again";
  }
  return "run `npm run build` in the package's folder (it needs cmake and a C++ compiler)";
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n", 1)[0] ?? "";
}

/**
 * What the addon knows of the machine: instruction sets, the one in use, the cores that this process may use.
 *
 * @throws NibbleError ERR_ARGUMENT where NIBBLE_FORCE_ISA names an instruction set that is not there.
 */
export function machine(): NativeMachine {
  const addon = loadAddon();
  try {
    return addon.machine();
  } catch (error) {
    throw fromNative(error, new Error().stack);
  }
}

interface NativeError extends Error {
  readonly code?: string;
  readonly details?: {
    readonly path?: string;
    readonly errno?: string;
    readonly offset?: number;
    readonly option?: string;
  };
}

/** An error of the addon as ours, with the stack of the call that led to it. */
export function fromNative(error: unknown, callerStack: string | undefined): unknown {
  if (isNibbleError(error) || !(error instanceof Error)) return error;
  const { code, message, details = {} } = error as NativeError;
  const path = details.path ?? "";
  let ours: NibbleError;
  if (code === "ERR_IO") {
    ours = new NibbleError(code, message, { path, errno: details.errno ?? "" });
  } else if (code === "ERR_FORMAT") {
    const offset = details.offset === undefined ? {} : { offset: details.offset };
    ours = new NibbleError(code, message, { path, field: "tensor data", ...offset });
  } else if (code === "ERR_ARGUMENT") {
    ours = new NibbleError(code, message, {
      option: details.option ?? "",
      expected: "see the message",
    });
  } else {
    ours = new NibbleError("ERR_INTERNAL", message, {}, { cause: error });
  }
  if (callerStack !== undefined) {
    ours.stack = `${ours.name}: ${ours.message}\n${callerStack.split("\n").slice(1).join("\n")}`;
  }
  return ours;
}
