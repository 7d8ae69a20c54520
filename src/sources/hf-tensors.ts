import { NibbleError } from "../errors.js";
import { formatError } from "./byte-source.js";
import type { HfConfig } from "./hf-config.js";
import type { FieldName } from "./hf-fields.js";
import { isIgnored } from "./hf-names.js";
import { tensorOf } from "./hf-pieces.js";
import type { TensorRule } from "./hf-rules.js";
import type { HfWeight } from "./hf-weights.js";
import type { TensorInfo } from "./model-info.js";

/** A rule and where its weight stands: in which layer, and at which place of a stack. */
export interface Match {
  readonly rule: TensorRule;
  readonly layer: number;
  readonly place: number;
}

/** The weights that become one tensor (or two), by their place in the stack. */
interface Slot {
  readonly rule: TensorRule;
  readonly layer: number;
  readonly weights: Map<number, HfWeight>;
}

/**
 * Gives the weights of a Hugging Face model GGUF's names, shapes and orders, by the rules of its family; every shape is
 * compared with config.json's. Tensors that config.json itself makes come first.
 *
 * @throws NibbleError ERR_UNSUPPORTED for a tensor that has no place, ERR_FORMAT for one that is missing, that stands
 * there twice, or whose shape is not config.json's.
 */
export function ggufTensors(
  path: string,
  weights: readonly HfWeight[],
  config: HfConfig,
): readonly TensorInfo[] {
  const rules = rulesOf(config);
  const slots = filledSlots(path, weights, rules, config);
  checkComplete(path, slots, [...rules.values()], config);
  const made = config.ropeTensors.map(({ name, values }): TensorInfo => {
    const bytes = values.byteLength;
    return { name, type: "F32", shape: [values.length], bytes, pieces: [], values };
  });
  return [
    ...made,
    ...[...slots.values()].flatMap(({ rule, layer, weights: parts }) => {
      const ordered = [...parts].sort(([a], [b]) => a - b).map(([, weight]) => weight);
      return rule.to.map((name, part) =>
        tensorOf(path, name.replace("{n}", String(layer)), ordered, rule, part, config.lengthOf),
      );
    }),
  ];
}

/** The rules of the family that hold for this configuration, by Hugging Face's names. */
export function rulesOf({ family, fields }: HfConfig): ReadonlyMap<string, TensorRule> {
  const holds = ({ when = {} }: TensorRule): boolean =>
    Object.entries(when).every(([field, value]) => fields.get(field as FieldName) === value);
  return new Map(family.tensors.filter(holds).map((rule) => [rule.from, rule]));
}

/** Every weight in the slot of its rule. */
function filledSlots(
  path: string,
  weights: readonly HfWeight[],
  rules: ReadonlyMap<string, TensorRule>,
  config: HfConfig,
): Map<string, Slot> {
  const { family } = config;
  const used = weights.filter(({ name }) => !isIgnored(name) && family.skip?.test(name) !== true);
  const renamed = tiedHead(used, rules, family.prefixes);
  const slots = new Map<string, Slot>();
  for (const weight of used) {
    const match = findRule(renamed.get(weight.name) ?? weight.name, rules, family.prefixes);
    if (match === undefined) throw unknownTensor(path, weight.name, config);
    if (weight.unreadable !== undefined) throw weight.unreadable;
    const { rule, layer, place } = match;
    checkPlace(path, weight, match, config);
    const key = `${rule.from} ${layer}`;
    const slot = slots.get(key) ?? { rule, layer, weights: new Map<number, HfWeight>() };
    if (slot.weights.has(place)) {
      throw formatError(path, `tensor ${weight.name}`, "stands there twice, under two names");
    }
    slot.weights.set(place, weight);
    slots.set(key, slot);
  }
  return slots;
}

/** A tied embedding may be stored under the head's name alone: then that is what it is. */
function tiedHead(
  weights: readonly HfWeight[],
  rules: ReadonlyMap<string, TensorRule>,
  prefixes: readonly string[],
): ReadonlyMap<string, string> {
  const named = (gguf: string): readonly string[] =>
    weights
      .map(({ name }) => name)
      .filter((name) => findRule(name, rules, prefixes)?.rule.to[0] === gguf);
  const embedding = [...rules.values()].find(({ to }) => to[0] === "token_embd.weight");
  if (embedding === undefined || named("token_embd.weight").length > 0) return new Map();
  return new Map(named("output.weight").map((name) => [name, embedding.from]));
}

/** The rule for a tensor's name, with or without one of the prefixes. */
export function findRule(
  name: string,
  rules: ReadonlyMap<string, TensorRule>,
  prefixes: readonly string[],
): Match | undefined {
  for (const prefix of [...prefixes, ""]) {
    if (!name.startsWith(prefix)) continue;
    const numbers: number[] = [];
    const template = name
      .slice(prefix.length)
      .replace(/(?<=\.)(0|[1-9]\d{0,8})(?=\.)/g, (digits) => {
        numbers.push(Number(digits));
        return numbers.length === 1 ? "{n}" : "{i}";
      });
    const rule = rules.get(template);
    if (rule !== undefined) return { rule, layer: numbers[0] ?? -1, place: numbers[1] ?? 0 };
  }
  return undefined;
}

function unknownTensor(path: string, name: string, config: HfConfig): NibbleError {
  return new NibbleError(
    "ERR_UNSUPPORTED",
    `${path}: tensor ${name} has no place in GGUF's ${config.architecture} architecture, as config.json describes it`,
    { what: "tensor", value: name },
  );
}

function checkPlace(
  path: string,
  { name, shape }: HfWeight,
  { rule, layer, place }: Match,
  config: HfConfig,
): void {
  const damaged = (problem: string): NibbleError => formatError(path, `tensor ${name}`, problem);
  if (layer >= config.layers) {
    throw damaged(`is beyond the ${config.layers} layers of config.json`);
  }
  if (rule.stack !== undefined && place >= config.lengthOf(rule.stack)) {
    throw damaged(`is beyond the ${config.lengthOf(rule.stack)} ${rule.stack} of config.json`);
  }
  const wanted = rule.shape.map(config.lengthOf);
  if (wanted.length === shape.length && wanted.every((length, i) => length === shape[i])) return;
  const words = rule.shape.join(", ");
  throw damaged(
    `has the shape [${shape.join(", ")}], and config.json makes it [${wanted.join(", ")}] (${words})`,
  );
}

/** A shard that is left out of the index, or a config.json of another model, shows here. */
function checkComplete(
  path: string,
  slots: ReadonlyMap<string, Slot>,
  rules: readonly TensorRule[],
  config: HfConfig,
): void {
  const made = new Map<string, string>();
  for (const { rule, layer, weights } of slots.values()) {
    for (const name of rule.to) {
      const other = made.get(`${name} ${layer}`);
      if (other !== undefined) {
        const problem = `is there besides ${other}, and both are ${name}`;
        throw formatError(path, `tensor ${rule.from}`, problem);
      }
      made.set(`${name} ${layer}`, rule.from);
    }
    if (rule.stack === undefined) continue;
    let place = 0;
    while (weights.has(place)) place += 1;
    if (place < config.lengthOf(rule.stack)) throw missing(path, rule, layer, place, config);
  }
  for (const rule of rules) {
    // Only a config.json that says that the head is not the embedding makes the head necessary.
    if (rule.optional === true && config.tied !== false) continue;
    const layers = rule.from.includes("{n}") ? config.layers : 1;
    for (let i = 0; i < layers; i += 1) {
      const layer = rule.from.includes("{n}") ? i : -1;
      if (!rule.to.every((name) => made.has(`${name} ${layer}`))) {
        throw missing(path, rule, layer, 0, config);
      }
    }
  }
}

function missing(
  path: string,
  rule: TensorRule,
  layer: number,
  place: number,
  { family }: HfConfig,
): NibbleError {
  const prefix = rule.optional === true ? "" : (family.prefixes[0] ?? "");
  const name = prefix + rule.from.replace("{n}", String(layer)).replace("{i}", String(place));
  const gguf = rule.to.map((one) => one.replace("{n}", String(layer))).join(" and ");
  const problem = `is missing (GGUF's ${gguf}): the download is not complete, or config.json is another model's`;
  return formatError(path, `tensor ${name}`, problem);
}

/** Rows of the token embedding: the vocabulary's length. */
export function embeddingRows(path: string, tensors: readonly TensorInfo[]): number {
  const rows = tensors.find(({ name }) => name === "token_embd.weight")?.shape[1];
  if (rows === undefined) throw formatError(path, "tensor token_embd.weight", "is no matrix");
  return rows;
}
