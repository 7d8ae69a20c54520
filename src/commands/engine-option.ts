import { argumentError } from "../errors.js";
import { engineNames, type EngineName } from "../run/engine.js";

/** `--engine` of the commands that run a model. */
export const engineOption = {
  type: "string",
  default: engineNames[0] ?? "",
  requiresArg: true,
  describe: `what computes: ${engineNames.join(", ")}`,
} as const;

/** The engine of that name. */
export function engineOf(name: string): EngineName {
  const found = engineNames.find((known) => known === name);
  if (found === undefined) throw argumentError("--engine", engineNames.join(" or "), name);
  return found;
}
