import { argumentError } from "../errors.js";
import type { FormatName } from "../formats.js";
import { oneOf } from "./nearest-name.js";
import type { Role } from "./roles.js";

/** What a rule can ask about the model and the tensor. */
export interface RuleFacts {
  /** `output` also for a token embedding that serves as the output. */
  readonly role: Role;
  /** `general.architecture`. */
  readonly architecture: string;
  /** `<architecture>.expert_count`, 0 where it is absent. */
  readonly experts: number;
  /** Whether the row is a multiple of the block of the recipe's type. */
  readonly rowFits: boolean;
}

/** A tensor of one of `roles` for which all of `when` holds becomes `to`. */
export interface Rule {
  readonly roles: readonly Role[];
  readonly when?: Partial<Omit<RuleFacts, "role">>;
  readonly to: FormatName;
  readonly reason: string;
}

export interface RecipeRow {
  readonly name: string;
  /** `general.file_type`. */
  readonly fileType: number;
  /** The type of a tensor that no rule is about. */
  readonly type: FormatName;
  /** The first that fits counts. */
  readonly rules: readonly Rule[];
}

/** The output decides every token's logit, so that it gets more bits than the rest. */
const outputRules: readonly Rule[] = [
  {
    roles: ["output"],
    when: { architecture: "falcon" },
    to: "Q8_0",
    reason: "output of falcon as Q8_0",
  },
  { roles: ["output"], when: { rowFits: false }, to: "Q8_0", reason: "output as Q8_0" },
  { roles: ["output"], to: "Q6_K", reason: "output as Q6_K" },
];

/** With eight experts the attention is a small part of the model: more bits for it cost little. */
const expertRules: readonly Rule[] = [
  {
    roles: ["attn_v", "attn_k", "attn_qkv", "attn_kv_b"],
    when: { experts: 8 },
    to: "Q8_0",
    reason: "attention beside 8 experts as Q8_0",
  },
];

const mixed = [...outputRules, ...expertRules];

const rows = [
  { name: "Q4_0", fileType: 2, type: "Q4_0", rules: mixed },
  { name: "Q4_1", fileType: 3, type: "Q4_1", rules: mixed },
  { name: "Q5_0", fileType: 8, type: "Q5_0", rules: mixed },
  { name: "Q5_1", fileType: 9, type: "Q5_1", rules: mixed },
  { name: "Q6_K", fileType: 18, type: "Q6_K", rules: mixed },
  { name: "Q8_0", fileType: 7, type: "Q8_0", rules: [] },
  { name: "BF16", fileType: 32, type: "BF16", rules: [] },
  { name: "F16", fileType: 1, type: "F16", rules: [] },
  { name: "F32", fileType: 0, type: "F32", rules: [] },
] as const satisfies readonly RecipeRow[];

/** The name of a recipe (ftype): a mixture of tensor types for a whole model. */
export type RecipeName = (typeof rows)[number]["name"];

/** How the tensors of a model get their types. */
export interface Recipe extends RecipeRow {
  readonly name: RecipeName;
}

/** Every recipe, from small to large. */
export const recipes: readonly Recipe[] = rows;

/**
 * The recipe of that name, in any case.
 *
 * @throws NibbleError ERR_ARGUMENT with the nearest name, where there is none.
 */
export function findRecipe(name: string): Recipe {
  const found = recipes.find((recipe) => recipe.name === name.toUpperCase());
  if (found !== undefined) return found;
  const names = recipes.map((recipe) => recipe.name);
  throw argumentError("--type", oneOf(name, names), name);
}

/** The recipe's first rule that fits, or undefined: then the tensor gets the recipe's type. */
export function ruleFor(recipe: RecipeRow, facts: RuleFacts): Rule | undefined {
  return recipe.rules.find(
    ({ roles, when = {} }) =>
      roles.includes(facts.role) &&
      Object.entries(when).every(([fact, value]) => facts[fact as keyof RuleFacts] === value),
  );
}
