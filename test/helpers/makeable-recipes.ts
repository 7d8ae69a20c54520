import { format } from "../../src/formats.js";
import { needsImportance } from "../../src/plan/importance.js";
import { recipes, type Recipe } from "../../src/plan/recipes.js";

function isMakeable(recipe: Recipe): boolean {
  const { type, rules } = recipe;
  const types = [...(type === null ? [] : [type]), ...rules.map(({ to }) => to)];
  return types.every((made) => format(made).codec);
}

/** Recipes whose every type can be made, given an importance matrix. */
export const makeableRecipes = recipes.filter(isMakeable);

/** Those that make a usual tensor without one. */
export const makeableWithoutImportance = makeableRecipes.filter(
  (recipe) => recipe.type === null || !needsImportance("blk.0.ffn_up.weight", recipe.type, recipe),
);
