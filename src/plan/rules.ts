import type { FormatName } from "../formats.js";
import type { Role } from "./roles.js";

/** What a rule can ask about the model, the tensor and its place. */
export interface RuleFacts {
  /** `output` also for a token embedding that serves as the output. */
  readonly role: Role;
  /** `general.architecture`. */
  readonly architecture: string;
  /** `<architecture>.expert_count`, 0 where it is absent. */
  readonly experts: number;
  /** Query heads that share a head of keys and values, in the first layer; 0 where it is not known. */
  readonly gqa: number;
  /** One of the models that llama.cpp knows as 70B. */
  readonly is70B: boolean;
  /** An importance matrix is given. */
  readonly hasImportance: boolean;
  /** Whether the row is a multiple of the block of the recipe's type. */
  readonly rowFits: boolean;
  /** Several matrices in one tensor, as experts are. */
  readonly stacked: boolean;
  /** How many tensors of its kind (see `placeOf`) the rules decided before, in the order of the file. */
  readonly turn: number;
  /** Parts of the layers, as `placeOf` numbers them: the first eighth and sixteenth, what is in neither outer eighth. */
  readonly firstEighth: boolean;
  readonly firstSixteenth: boolean;
  readonly middle: boolean;
  /** The outer eighths, and every third layer between them. */
  readonly moreBits: boolean;
  /** The first eighth by `turn`, also where there are experts. */
  readonly firstEighthByTurn: boolean;
}

/** A value itself, or what is asked of it. */
type Condition<T> =
  | T
  | { readonly not: T }
  | (T extends number ? { readonly least: number } | { readonly below: number } : never);

export type Conditions = {
  readonly [Fact in keyof Omit<RuleFacts, "role">]?: Condition<RuleFacts[Fact]>;
};

/** A tensor of one of `roles` (of any, where there are none) for which all of `when` holds becomes `to`. */
export interface Rule {
  readonly roles?: readonly Role[];
  readonly when?: Conditions;
  readonly to: FormatName;
  /** What the rule is about, in a few words: "output", "values of every third layer". */
  readonly what: string;
}

/** The first rule that fits, or undefined: then the tensor gets the recipe's type. */
export function ruleFor(rules: readonly Rule[], facts: RuleFacts): Rule | undefined {
  return rules.find(
    ({ roles, when = {} }) =>
      (roles === undefined || roles.includes(facts.role)) &&
      Object.entries(when).every(([fact, wanted]) =>
        holds(facts[fact as keyof RuleFacts], wanted as Condition<number>),
      ),
  );
}

function holds(value: RuleFacts[keyof RuleFacts], wanted: Condition<number>): boolean {
  if (typeof wanted !== "object") return value === wanted;
  if ("not" in wanted) return value !== wanted.not;
  return "least" in wanted ? Number(value) >= wanted.least : Number(value) < wanted.below;
}

/** Where a tensor stands among those of its kind. */
export interface Place {
  readonly index: number;
  readonly count: number;
}

/** The facts that follow from a place. The arithmetic is llama.cpp's, with integers. */
export function placeFacts(
  { index, count }: Place,
  turn: number,
): Pick<
  RuleFacts,
  "firstEighth" | "firstSixteenth" | "middle" | "moreBits" | "turn" | "firstEighthByTurn"
> {
  const eighth = Math.floor(count / 8);
  const lastEighth = Math.floor((7 * count) / 8);
  const middle = index >= eighth && index < lastEighth;
  return {
    turn,
    firstEighth: index < eighth,
    firstSixteenth: index < Math.floor(count / 16),
    middle,
    moreBits: !middle || (index - eighth) % 3 === 2,
    firstEighthByTurn: turn < eighth,
  };
}
