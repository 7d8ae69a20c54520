import { NibbleError } from "../errors.js";
import { format, type FormatName } from "../formats.js";
import type { TensorInfo } from "../sources/model-info.js";
import type { Override } from "./overrides.js";
import type { ModelFacts } from "./model-facts.js";
import type { Recipe } from "./recipes.js";
import { keptReason, kindOf, layerOf, roleOf, type Kind, type Role } from "./roles.js";
import { placeFacts, ruleFor, type Place, type RuleFacts } from "./rules.js";

/** What the choice of every tensor's type depends on. */
export interface ChoiceContext extends ModelFacts {
  readonly recipe: Recipe;
  readonly container: "gguf" | "hf";
  readonly hasImportance: boolean;
  readonly pure: boolean;
  readonly leaveOutputTensor: boolean;
  readonly outputTensorType: FormatName | undefined;
  readonly tokenEmbeddingType: FormatName | undefined;
  readonly overrides: readonly Override[];
}

/** What decided, where it was not the recipe: an option's name, or an override. */
export type Decider = "--output-tensor-type" | "--token-embedding-type" | Override;

export interface Choice {
  readonly to: FormatName;
  readonly reason: string;
  readonly decider?: Decider;
  /** The type that the rows did not fit. */
  readonly unfit?: FormatName;
}

/**
 * What a tensor becomes whose rows are no multiple of the block. Types with blocks of 32 become F16, where
 * llama-quantize wants `--tensor-type ...=F16` from the user; other types have nothing to fall back to.
 */
const fallbacks: Partial<Record<FormatName, FormatName>> = {
  IQ1_S: "IQ4_NL",
  IQ1_M: "IQ4_NL",
  IQ2_XXS: "IQ4_NL",
  IQ2_XS: "IQ4_NL",
  IQ2_S: "IQ4_NL",
  IQ3_XXS: "IQ4_NL",
  IQ3_S: "IQ4_NL",
  IQ4_XS: "IQ4_NL",
  Q2_0: "Q4_0",
  Q2_K: "Q4_0",
  Q3_K: "Q4_0",
  TQ1_0: "Q4_0",
  TQ2_0: "Q4_0",
  Q4_K: "Q5_0",
  Q5_K: "Q5_1",
  Q6_K: "Q8_0",
};

/**
 * The type that each tensor becomes, and why: llama-quantize's choice, wherever it makes one.
 *
 * @param tensors In the order of the output file: some rules count the tensors that they decided before.
 * @throws NibbleError ERR_PLAN where the rows fit neither the type nor a fallback.
 */
export function chooseTypes(
  tensors: readonly TensorInfo[],
  context: ChoiceContext,
): readonly Choice[] {
  const { type } = context.recipe;
  const turns = new Map<Kind, number>();
  return tensors.map((tensor) => {
    const kept = keptReason(tensor.name, tensor.shape);
    if (kept !== undefined) return keep(tensor, kept, context);
    if (type === null) return { to: tensor.type, reason: "copy" };
    const role = roleOf(tensor.name);
    const settled = byOptions(tensor, role, type, context);
    if (settled !== undefined) return settled;
    const kind = kindOf(role);
    const turn = kind === undefined ? 0 : (turns.get(kind) ?? 0);
    if (kind !== undefined) turns.set(kind, turn + 1);
    return fitted(tensor, byRules(tensor, role, turn, type, context));
  });
}

/** The choice where the recipe's rules have no say, or undefined. */
function byOptions(
  tensor: TensorInfo,
  role: Role,
  type: FormatName,
  context: ChoiceContext,
): Choice | undefined {
  if (role === "output" && context.leaveOutputTensor) {
    return { to: tensor.type, reason: "--leave-output-tensor" };
  }
  if (role === "token_embd" && context.tokenEmbeddingType !== undefined) {
    return demanded(tensor, context.tokenEmbeddingType, "--token-embedding-type");
  }
  if (role === "output" && context.outputTensorType !== undefined) {
    return demanded(tensor, context.outputTensorType, "--output-tensor-type");
  }
  if (!isQuantized(type)) return { to: type, reason: "recipe" };
  const override = context.overrides.find(({ regex }) => regex.test(tensor.name));
  if (override !== undefined) {
    const reason = `--tensor-type ${override.pattern}=${override.type}`;
    return fitted(tensor, { to: override.type, reason, decider: override });
  }
  if (context.pure) return fitted(tensor, { to: type, reason: "recipe, pure" });
  if (role === "token_embd" && context.tied && context.outputTensorType !== undefined) {
    const decider = "--output-tensor-type";
    return fitted(tensor, { to: context.outputTensorType, reason: decider, decider });
  }
  return undefined;
}

/** Whether a type has blocks of several values. */
export function isQuantized(type: FormatName): boolean {
  return format(type).values > 1;
}

/** Engines want the small tensors in F32, and so does conversion from Hugging Face; a GGUF has what it has. */
function keep({ type }: TensorInfo, reason: string, { container }: ChoiceContext): Choice {
  const widened = container === "hf" && (type === "F16" || type === "BF16");
  return { to: widened ? "F32" : type, reason: widened ? `${reason}, as F32` : reason };
}

/** A type from an option of its own is taken as it is: no fallback. */
function demanded(tensor: TensorInfo, to: FormatName, option: Decider & string): Choice {
  if (!rowFits(tensor, to)) throw unfitError(tensor, to, option);
  return { to, reason: option, decider: option };
}

/** The choice of the recipe, before it is known whether the rows fit. */
function byRules(
  tensor: TensorInfo,
  role: Role,
  turn: number,
  type: FormatName,
  context: ChoiceContext,
): Choice {
  const { recipe, architecture, experts, gqa, is70B, hasImportance } = context;
  const isTied = role === "token_embd" && context.tied;
  const facts: RuleFacts = {
    ...{ role: isTied ? "output" : role, architecture, experts, gqa, is70B, hasImportance },
    rowFits: rowFits(tensor, type),
    stacked: (tensor.shape[2] ?? 1) > 1,
    ...placeFacts(placeOf(tensor, turn, context), turn),
  };
  const rule = ruleFor(recipe.rules, facts);
  if (rule === undefined) return { to: type, reason: "recipe" };
  return { to: rule.to, reason: `${isTied ? "tied " : ""}${rule.what} as ${rule.to}` };
}

/**
 * Where a tensor stands among those of its kind. With experts several tensors of a kind are in a layer, so that the number
 * of the layer counts; values are counted one by one all the same.
 */
function placeOf({ name }: TensorInfo, turn: number, context: ChoiceContext): Place {
  if (kindOf(roleOf(name)) === "values") return { index: turn, count: context.valueTensors };
  const layer = layerOf(name);
  const index = context.experts > 1 && layer >= 0 ? layer : turn;
  return { index, count: context.layers };
}

function fitted(tensor: TensorInfo, choice: Choice): Choice {
  const { to } = choice;
  if (rowFits(tensor, to)) return choice;
  const { values } = format(to);
  const fallback = fallbacks[to] ?? (values <= 32 ? "F16" : undefined);
  if (fallback === undefined) throw unfitError(tensor, to, "--tensor-type");
  return {
    ...choice,
    to: rowFits(tensor, fallback) ? fallback : "F16",
    reason: `row of ${rowOf(tensor)} is no multiple of ${values} (${to})`,
    unfit: to,
  };
}

function rowOf({ shape }: TensorInfo): number {
  return shape[0] ?? 1;
}

function rowFits(tensor: TensorInfo, type: FormatName): boolean {
  return rowOf(tensor) % format(type).values === 0;
}

function unfitError(tensor: TensorInfo, type: FormatName, option: string): NibbleError {
  const reason = `rows of ${rowOf(tensor)} values are no multiple of ${type}'s block of ${format(type).values}`;
  const remedy = `give it another type with ${option}${option === "--tensor-type" ? " REGEX=TYPE" : ""}`;
  return new NibbleError("ERR_PLAN", `${tensor.name}: ${reason}; ${remedy}`, {
    tensor: tensor.name,
    type,
    reason,
  });
}
