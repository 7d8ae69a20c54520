import { argumentError } from "../errors.js";
import type { FormatName } from "../formats.js";
import { mixtures } from "./mixtures.js";
import { oneOf } from "./nearest-name.js";
import type { Rule } from "./rules.js";

export interface RecipeRow {
  readonly name: string;
  /** `general.file_type`; null keeps the source's. */
  readonly fileType: number | null;
  /** The type of a tensor that no rule is about; null keeps the source's. */
  readonly type: FormatName | null;
  /** The first that fits counts. */
  readonly rules: readonly Rule[];
  /** A type that this recipe, unlike others, does not make without an importance matrix. */
  readonly needsImportance?: FormatName;
}

const none: readonly Rule[] = [];

const rows = [
  { name: "Q1_0", fileType: 40, type: "Q1_0", rules: mixtures.plain },
  { name: "IQ1_S", fileType: 24, type: "IQ1_S", rules: mixtures.iq1 },
  { name: "TQ1_0", fileType: 36, type: "TQ1_0", rules: mixtures.ternary },
  { name: "IQ1_M", fileType: 31, type: "IQ1_M", rules: mixtures.iq1 },
  { name: "IQ2_XXS", fileType: 19, type: "IQ2_XXS", rules: mixtures.iq2x },
  { name: "TQ2_0", fileType: 37, type: "TQ2_0", rules: mixtures.ternary },
  { name: "Q2_0", fileType: 41, type: "Q2_0", rules: mixtures.ternary },
  { name: "IQ2_XS", fileType: 20, type: "IQ2_XS", rules: mixtures.iq2x },
  { name: "IQ2_S", fileType: 28, type: "IQ2_XS", rules: mixtures.iq2s },
  { name: "IQ2_M", fileType: 29, type: "IQ2_S", rules: mixtures.iq2s },
  { name: "Q2_K_S", fileType: 21, type: "Q2_K", rules: mixtures.q2ks, needsImportance: "Q2_K" },
  { name: "Q2_K", fileType: 10, type: "Q2_K", rules: mixtures.q2k },
  { name: "IQ3_XXS", fileType: 23, type: "IQ3_XXS", rules: mixtures.iq3xxs },
  { name: "IQ3_XS", fileType: 22, type: "IQ3_S", rules: mixtures.iq3xs },
  { name: "Q3_K_S", fileType: 11, type: "Q3_K", rules: mixtures.q3ks },
  { name: "IQ3_S", fileType: 26, type: "IQ3_S", rules: mixtures.iq3s },
  { name: "IQ3_M", fileType: 27, type: "IQ3_S", rules: mixtures.iq3m },
  { name: "Q3_K_M", fileType: 12, type: "Q3_K", rules: mixtures.q3km },
  { name: "Q3_K_L", fileType: 13, type: "Q3_K", rules: mixtures.q3kl },
  { name: "MXFP4_MOE", fileType: 38, type: "MXFP4", rules: mixtures.mxfp4moe },
  { name: "IQ4_XS", fileType: 30, type: "IQ4_XS", rules: mixtures.iq4 },
  { name: "NVFP4", fileType: 39, type: "NVFP4", rules: mixtures.plain },
  { name: "IQ4_NL", fileType: 25, type: "IQ4_NL", rules: mixtures.iq4 },
  { name: "Q4_0", fileType: 2, type: "Q4_0", rules: mixtures.q4 },
  { name: "Q4_K_S", fileType: 14, type: "Q4_K", rules: mixtures.q4ks },
  { name: "Q4_K_M", fileType: 15, type: "Q4_K", rules: mixtures.q4km },
  { name: "Q4_1", fileType: 3, type: "Q4_1", rules: mixtures.plain },
  { name: "Q5_0", fileType: 8, type: "Q5_0", rules: mixtures.q5 },
  { name: "Q5_K_S", fileType: 16, type: "Q5_K", rules: mixtures.plain },
  { name: "Q5_K_M", fileType: 17, type: "Q5_K", rules: mixtures.q5km },
  { name: "Q5_1", fileType: 9, type: "Q5_1", rules: mixtures.plain },
  { name: "Q6_K", fileType: 18, type: "Q6_K", rules: mixtures.plain },
  { name: "Q8_0", fileType: 7, type: "Q8_0", rules: none },
  { name: "BF16", fileType: 32, type: "BF16", rules: none },
  { name: "F16", fileType: 1, type: "F16", rules: none },
  { name: "F32", fileType: 0, type: "F32", rules: none },
  { name: "COPY", fileType: null, type: null, rules: none },
] as const satisfies readonly RecipeRow[];

/** The name of a recipe (ftype): a mixture of tensor types for a whole model. */
export type RecipeName = (typeof rows)[number]["name"];

/** How the tensors of a model get their types. */
export interface Recipe extends RecipeRow {
  readonly name: RecipeName;
}

/** Every recipe, from small to large, and last the one that changes nothing. */
export const recipes: readonly Recipe[] = rows;

/** Other names of recipes. */
const aliases = new Map<string, RecipeName>([
  ["Q3_K", "Q3_K_M"],
  ["Q4_K", "Q4_K_M"],
  ["Q5_K", "Q5_K_M"],
]);

/**
 * The recipe of that name or alias, in any case.
 *
 * @throws NibbleError ERR_ARGUMENT with the nearest name, where there is none.
 */
export function findRecipe(name: string): Recipe {
  const upper = name.toUpperCase();
  const wanted = aliases.get(upper) ?? upper;
  const found = recipes.find((recipe) => recipe.name === wanted);
  if (found !== undefined) return found;
  const names = recipes.map((recipe) => recipe.name);
  throw argumentError("--type", oneOf(name, names), name);
}
