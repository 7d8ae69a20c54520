import { NibbleError } from "../errors.js";

/** A model that is right, and that the native engine does not have: the other one may. */
export function unsupported(
  path: string,
  what: string,
  value: string,
  problem: string,
): NibbleError<"ERR_UNSUPPORTED"> {
  const message = `${path}: ${problem}; try --engine llama.cpp`;
  return new NibbleError("ERR_UNSUPPORTED", message, { what, value });
}

export function damaged(path: string, field: string, problem: string): NibbleError<"ERR_FORMAT"> {
  return new NibbleError("ERR_FORMAT", `${path}: ${field} ${problem}`, { path, field });
}
