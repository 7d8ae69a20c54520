import type { TensorInfo } from "../sources/model-info.js";
import { isQuantized, type Choice, type ChoiceContext, type Decider } from "./choose-type.js";
import type { ImportanceCoverage } from "./importance-coverage.js";

/** A tensor and what it becomes. */
export interface Decided {
  readonly tensor: TensorInfo;
  readonly choice: Choice;
}

/** What the user should know about a plan: one line each. */
export function planWarnings(
  decided: readonly Decided[],
  context: ChoiceContext,
): readonly string[] {
  return [
    ...uselessOptions(decided, context),
    ...fallbackWarnings(decided),
    ...requantizeWarnings(decided),
  ];
}

/** What an importance matrix says nothing of, among the tensors that are quantized. */
export function importanceWarnings(coverage: ImportanceCoverage | undefined): readonly string[] {
  if (coverage === undefined) return [];
  const { uncovered, gaps } = coverage;
  const unseen = gaps.reduce((sum, { experts }) => sum + experts, 0);
  return [
    ...(uncovered.length > 0
      ? [`no importance of ${countedNames(uncovered)}: quantized without`]
      : []),
    ...(unseen > 0
      ? [`${unseen} experts saw no row of the text: their columns all count the same`]
      : []),
  ];
}

function uselessOptions(decided: readonly Decided[], context: ChoiceContext): string[] {
  const deciders = new Set<Decider | undefined>(decided.map(({ choice }) => choice.decider));
  const warnings: string[] = [];
  const { outputTensorType, tokenEmbeddingType, overrides, recipe } = context;
  if (outputTensorType !== undefined && !deciders.has("--output-tensor-type")) {
    warnings.push("--output-tensor-type has no effect: it decides no tensor of this model");
  }
  if (tokenEmbeddingType !== undefined && !deciders.has("--token-embedding-type")) {
    warnings.push("--token-embedding-type has no effect: it decides no tensor of this model");
  }
  for (const override of overrides) {
    if (deciders.has(override)) continue;
    const option = `--tensor-type ${override.pattern}=${override.type}`;
    if (!decided.some(({ tensor }) => override.regex.test(tensor.name))) {
      warnings.push(`${option} matches no tensor`);
    } else if (recipe.type === null || !isQuantized(recipe.type)) {
      warnings.push(`${option} has no effect: the recipe ${recipe.name} does not quantize`);
    } else {
      const why =
        "something else decides every tensor that it matches, or they are never quantized";
      warnings.push(`${option} has no effect: ${why}`);
    }
  }
  return warnings;
}

/** One line for every pair of types: `rows that do not fit Q6_K: Q8_0 for 2 tensors (a.weight, b.weight)`. */
function fallbackWarnings(decided: readonly Decided[]): string[] {
  const fallen = decided.filter(({ choice }) => choice.unfit !== undefined);
  const groups = groupBy(fallen, ({ choice }) => `rows that do not fit ${choice.unfit}`);
  return [...groups].flatMap(([what, group]) =>
    [...groupBy(group, ({ choice }) => choice.to)].map(
      ([to, members]) => `${what}: ${to} for ${counted(members)}`,
    ),
  );
}

function requantizeWarnings(decided: readonly Decided[]): string[] {
  const again = decided.filter(
    ({ tensor, choice }) => isQuantized(tensor.type) && tensor.type !== choice.to,
  );
  return [...groupBy(again, ({ tensor }) => tensor.type)].map(
    ([type, members]) =>
      `quantized already, as ${type}, and converted again, which costs quality: ${counted(members)}`,
  );
}

function groupBy<K>(decided: readonly Decided[], key: (one: Decided) => K): Map<K, Decided[]> {
  const groups = new Map<K, Decided[]>();
  for (const one of decided) {
    const group = groups.get(key(one));
    if (group === undefined) groups.set(key(one), [one]);
    else group.push(one);
  }
  return groups;
}

function counted(members: readonly Decided[]): string {
  return countedNames(members.map(({ tensor }) => tensor.name));
}

function countedNames(all: readonly string[]): string {
  const names = all.slice(0, 3);
  if (all.length > names.length) names.push("...");
  return `${all.length} tensor${all.length === 1 ? "" : "s"} (${names.join(", ")})`;
}
