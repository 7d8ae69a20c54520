import { NibbleError } from "../errors.js";
import type { FormatName } from "../formats.js";
import type { RecipeRow } from "./recipes.js";
import { roleOf } from "./roles.js";

/** Types whose few levels cannot be placed without knowing what matters. */
const needy: readonly FormatName[] = ["IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS"];
/** Those among them that have no way at all of quantizing without it. */
const impossible: readonly FormatName[] = ["IQ1_S", "IQ2_XXS", "IQ2_XS"];

/**
 * Whether a tensor of that name cannot become `to` without an importance of its columns. Embedding and output can, as far
 * as their type has a way: an importance matrix seldom has them.
 */
export function needsImportance(name: string, to: FormatName, recipe: RecipeRow): boolean {
  if (impossible.includes(to)) return true;
  const role = roleOf(name);
  if (role === "token_embd" || role === "output") return false;
  return needy.includes(to) || recipe.needsImportance === to;
}

/** The error for a tensor that needs it and has none. */
export function missingImportanceError(name: string, to: FormatName): NibbleError {
  const reason = `${to} needs an importance matrix`;
  return new NibbleError(
    "ERR_PLAN",
    `${name}: ${reason}: give one with --imatrix, or take another type`,
    { tensor: name, type: to, reason },
  );
}
