import { NibbleError } from "../errors.js";
import { format, type FormatName } from "../formats.js";
import type { TensorInfo } from "../sources/model-info.js";
import type { Override } from "./overrides.js";
import { ruleFor, type Recipe } from "./recipes.js";
import { keptReason, roleOf, type Role } from "./roles.js";

/** What the choice of every tensor's type depends on. */
export interface ChoiceContext {
  readonly recipe: Recipe;
  readonly container: "gguf" | "hf";
  readonly architecture: string;
  readonly experts: number;
  /** No tensor of its own is the output: the token embedding serves as it. */
  readonly tied: boolean;
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
 * The type that a tensor becomes, and why: llama-quantize's choice, wherever it makes one.
 *
 * @throws NibbleError ERR_PLAN where the rows fit neither the type nor a fallback.
 */
export function chooseType(tensor: TensorInfo, context: ChoiceContext): Choice {
  const { recipe } = context;
  const kept = keptReason(tensor.name, tensor.shape);
  if (kept !== undefined) return keep(tensor, kept, context);
  const role = roleOf(tensor.name);
  if (role === "output" && context.leaveOutputTensor) {
    return { to: tensor.type, reason: "--leave-output-tensor" };
  }
  if (role === "token_embd" && context.tokenEmbeddingType !== undefined) {
    return demanded(tensor, context.tokenEmbeddingType, "--token-embedding-type");
  }
  if (role === "output" && context.outputTensorType !== undefined) {
    return demanded(tensor, context.outputTensorType, "--output-tensor-type");
  }
  if (!isQuantized(recipe.type)) return { to: recipe.type, reason: "recipe" };
  return fitted(tensor, preferred(tensor, role, context));
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

/** The choice before it is known whether the rows fit. */
function preferred(tensor: TensorInfo, role: Role, context: ChoiceContext): Choice {
  const { recipe } = context;
  const override = context.overrides.find(({ regex }) => regex.test(tensor.name));
  if (override !== undefined) {
    const reason = `--tensor-type ${override.pattern}=${override.type}`;
    return { to: override.type, reason, decider: override };
  }
  if (context.pure) return { to: recipe.type, reason: "recipe, pure" };
  const outputRole = role === "token_embd" && context.tied ? "output" : role;
  if (outputRole === "output" && context.outputTensorType !== undefined) {
    const decider = "--output-tensor-type";
    return { to: context.outputTensorType, reason: decider, decider };
  }
  const { architecture, experts } = context;
  const rule = ruleFor(recipe, {
    role: outputRole,
    architecture,
    experts,
    rowFits: rowFits(tensor, recipe.type),
  });
  if (rule === undefined) return { to: recipe.type, reason: "recipe" };
  const reason = outputRole === role ? rule.reason : `tied ${rule.reason}`;
  return { to: rule.to, reason };
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
