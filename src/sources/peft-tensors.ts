import { NibbleError } from "../errors.js";
import { formatError } from "./byte-source.js";
import type { HfConfig } from "./hf-config.js";
import { tensorOf } from "./hf-pieces.js";
import type { TensorRule } from "./hf-rules.js";
import { findRule, rulesOf, type Match } from "./hf-tensors.js";
import type { HfWeight } from "./hf-weights.js";
import type { TensorInfo } from "./model-info.js";

type Half = "A" | "B";

/** The two halves of the change of a weight: B A, with A [rank, in] and B [out, rank]. */
interface Pair {
  readonly name: string;
  readonly match: Match;
  readonly halves: Readonly<Partial<Record<Half, HfWeight>>>;
}

const wrapper = "base_model.model.";
const halfOf = /\.lora_(?:embedding_)?([AB])(?:\.weight)?$/;

export interface AdapterTensors {
  readonly tensors: readonly TensorInfo[];
  /** Of each pair. */
  readonly ranks: readonly number[];
}

/**
 * The tensors of a GGUF adapter, `<weight>.lora_a` [in, rank] and `<weight>.lora_b` [rank, out], by the rules of the base
 * model's family: what moves rows of the weight moves rows of B. Norms that the adapter holds whole are kept.
 *
 * @throws NibbleError ERR_UNSUPPORTED for a tensor that an adapter's GGUF cannot hold or that the model has not; ERR_FORMAT
 * for a pair that is not whole or whose shapes are not config.json's.
 */
export function adapterTensors(
  path: string,
  weights: readonly HfWeight[],
  config: HfConfig,
): AdapterTensors {
  const { pairs, norms } = sorted(path, weights, config);
  const tensors = norms.map(({ match, weight }) => normOf(path, weight, match, config));
  const ranks: number[] = [];
  for (const group of stacks(path, [...pairs.values()], config)) {
    const [{ match }] = group as [Pair];
    checkTied(path, group, config);
    const halves = group.map((pair) => checkedHalves(path, pair, config));
    ranks.push(...halves.map(({ rank }) => rank));
    if (new Set(halves.map(({ rank }) => rank)).size > 1) {
      throw unsupported(path, group[0]?.name ?? "", "has another rank than other experts");
    }
    tensors.push(...loraTensors(path, halves, match, config));
  }
  return { tensors, ranks };
}

/** Pairs by the base weight's name, and whole norms. */
function sorted(path: string, weights: readonly HfWeight[], config: HfConfig) {
  const rules = rulesOf(config);
  const { family } = config;
  const pairs = new Map<string, Pair>();
  const norms: { match: Match; weight: HfWeight }[] = [];
  for (const weight of weights) {
    const half = halfOf.exec(weight.name)?.[1] as Half | undefined;
    const name = baseName(weight.name);
    // PEFT stores it beside the change of a vocabulary that grew; the base model has its own.
    if (name.endsWith(".base_layer.weight")) continue;
    // Parts that GGUF's text models do without; the head is another matter.
    if (family.skip?.test(name) === true && !isHead(name)) continue;
    const match = findRule(name, rules, family.prefixes);
    if (weight.unreadable !== undefined) throw weight.unreadable;
    if (match === undefined || match.rule.to.length > 1) {
      throw unsupported(path, weight.name, `has no place in GGUF's ${config.architecture}`);
    }
    if (match.layer >= config.layers) {
      const problem = `is beyond the ${config.layers} layers of the base model`;
      throw formatError(path, `tensor ${weight.name}`, problem);
    }
    if (half !== undefined) {
      const pair = pairs.get(name) ?? { name, match, halves: {} };
      if (pair.halves[half] !== undefined) {
        throw formatError(path, `tensor ${weight.name}`, "stands there twice, under two names");
      }
      pairs.set(name, { ...pair, halves: { ...pair.halves, [half]: weight } });
    } else if (isNorm(match.rule)) {
      norms.push({ match, weight });
    } else {
      const why =
        "is a whole tensor of the model, which GGUF's adapters do not hold (tokens that were added, or modules_to_save)";
      throw unsupported(path, weight.name, why);
    }
  }
  return { pairs, norms };
}

/** The name of the weight that is changed. */
function baseName(name: string): string {
  const own = name.startsWith(wrapper) ? name.slice(wrapper.length) : name;
  return own.replace(halfOf, ".weight");
}

function isHead(name: string): boolean {
  return /(^|\.)lm_head\./.test(name);
}

function isNorm({ to, shape }: TensorRule): boolean {
  return shape.length === 1 && to[0]?.endsWith("_norm.weight") === true;
}

/** Pairs that become one: experts, by their numbers; all others are alone. */
function stacks(
  path: string,
  pairs: readonly Pair[],
  { lengthOf }: HfConfig,
): readonly (readonly Pair[])[] {
  const groups = new Map<string, Pair[]>();
  for (const pair of pairs) {
    const { rule, layer } = pair.match;
    const key = `${rule.from} ${layer}`;
    groups.set(key, [...(groups.get(key) ?? []), pair]);
  }
  for (const group of groups.values()) {
    const [first] = group as [Pair];
    const { stack } = first.match.rule;
    group.sort((a, b) => a.match.place - b.match.place);
    const wanted = stack === undefined ? 1 : lengthOf(stack);
    if (group.length > wanted) {
      throw formatError(path, `tensor ${first.name}`, "stands there twice, under two names");
    }
    if (group.length < wanted || group.some(({ match }, i) => stack && match.place !== i)) {
      throw unsupported(path, first.name, `changes some of the ${wanted} experts, not all`);
    }
  }
  return [...groups.values()];
}

/** Architectures whose head is the embedding where config.json does not say, in transformers. */
const tiedByDefault = new Set(["gpt2", "falcon", "smollm3", "starcoder2"]);

/**
 * With one tensor for embedding and head llama.cpp takes the change of the embedding for that of the head too, whose shape
 * it has not, and ends the process.
 */
function checkTied(path: string, [pair]: readonly Pair[], config: HfConfig): void {
  const to = pair?.match.rule.to[0];
  const { tied = tiedByDefault.has(config.architecture), family } = config;
  const isTied = tied || family.skip?.test("lm_head.weight") === true;
  if (!isTied || (to !== "output.weight" && to !== "token_embd.weight")) return;
  const why = "changes the embedding or the head alone, and the base model has one tensor for both";
  throw unsupported(path, pair?.name ?? "", why);
}

interface Halves {
  readonly a: HfWeight;
  readonly b: HfWeight;
  readonly rank: number;
}

function checkedHalves(path: string, { name, match, halves }: Pair, config: HfConfig): Halves {
  const { A: a, B: b } = halves;
  if (a === undefined || b === undefined) {
    const problem = `is missing; ${a === undefined ? "B" : "A"} is there`;
    throw formatError(path, `tensor lora_${a === undefined ? "A" : "B"} of ${name}`, problem);
  }
  const lengths = match.rule.shape.map(config.lengthOf);
  if (lengths.length !== 2) throw unsupported(path, name, "is the change of no matrix");
  if (match.rule.to[0] === "position_embd.weight") {
    throw unsupported(path, name, "changes the positions, which llama.cpp looks up as they are");
  }
  const [first = 0, second = 0] = lengths;
  // The embedding's rows are inputs of its change, as are those of a weight stored [in, out].
  const flipped = isEmbedding(match.rule) || match.rule.change === "transpose";
  const [out, into] = flipped ? [second, first] : [first, second];
  const rank = a.shape[0] ?? 0;
  for (const [half, wanted] of [
    [a, [rank, into]],
    [b, [out, rank]],
  ] as const) {
    if (half.shape.length === 2 && half.shape.every((length, i) => length === wanted[i])) continue;
    const problem = `has the shape [${half.shape.join(", ")}], and the base model makes it [${wanted.join(", ")}]`;
    throw formatError(path, `tensor ${half.name}`, problem);
  }
  return { a, b, rank };
}

function isEmbedding({ to }: TensorRule): boolean {
  return to[0] === "token_embd.weight";
}

function loraTensors(
  path: string,
  halves: readonly Halves[],
  { rule, layer }: Match,
  { lengthOf }: HfConfig,
): readonly TensorInfo[] {
  const { change, ...plain } = rule;
  const name = (rule.to[0] ?? "").replace("{n}", String(layer));
  const [a, b] = [halves.map((half) => half.a), halves.map((half) => half.b)];
  // llama.cpp looks the tokens' rows up in a.
  const ruleA: TensorRule = isEmbedding(rule) ? { ...plain, change: "transpose" } : plain;
  // PEFT has A and B in the same order also where the weight itself is stored [in, out].
  const ruleB = change === undefined || change === "transpose" ? plain : rule;
  return [
    tensorOf(path, `${name}.lora_a`, a, ruleA, 0, lengthOf),
    tensorOf(path, `${name}.lora_b`, b, ruleB, 0, lengthOf),
  ];
}

function normOf(path: string, weight: HfWeight, match: Match, config: HfConfig): TensorInfo {
  const { rule, layer } = match;
  const wanted = rule.shape.map(config.lengthOf);
  if (weight.shape.length !== 1 || weight.shape[0] !== wanted[0]) {
    const problem = `has the shape [${weight.shape.join(", ")}], and the base model makes it [${wanted.join(", ")}]`;
    throw formatError(path, `tensor ${weight.name}`, problem);
  }
  const name = (rule.to[0] ?? "").replace("{n}", String(layer));
  return tensorOf(path, name, [weight], rule, 0, config.lengthOf);
}

function unsupported(path: string, name: string, why: string): NibbleError {
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: tensor ${name} ${why}; merge the adapter into the base model with PEFT and convert that`,
    { what: "tensor", value: name },
  );
}
