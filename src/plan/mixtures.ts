import type { FormatName } from "../formats.js";
import type { Role } from "./roles.js";
import type { Conditions, Rule } from "./rules.js";

// Which tensors deviate from a recipe's type, as llama-quantize has it. Rules of one mixture stand in order: the first
// that fits counts.

/** Values, alone or fused with what is beside them: of all attention they suffer most. */
const values: readonly Role[] = ["attn_v", "attn_qkv", "attn_kv_b"];
const keys: readonly Role[] = ["attn_k"];
const keysAndQueries: readonly Role[] = ["attn_k", "attn_q"];
const attention: readonly Role[] = ["attn_output"];
const down: readonly Role[] = ["ffn_down"];
const gateAndUp: readonly Role[] = ["ffn_gate", "ffn_up"];

function rule(roles: readonly Role[], to: FormatName, what: string, when: Conditions = {}): Rule {
  return { roles, to, what, when };
}

const falcon = { architecture: "falcon" };
const notFalcon = { architecture: { not: "falcon" } };
const shared = { gqa: { least: 4 } };
const beside8 = "attention beside 8 experts";

/** The output decides every token's logit, so that it gets more bits than the rest. */
function output(to: FormatName): readonly Rule[] {
  return [
    rule(["output"], "Q8_0", "output of falcon", falcon),
    rule(["output"], "Q8_0", "output", { rowFits: false }),
    rule(["output"], to, "output"),
  ];
}

function embedding(to: FormatName): Rule {
  return rule(["token_embd"], to, "token embedding");
}

/** With eight experts the attention is a small part of the model: more bits for it cost little. */
const expertAttention = rule([...values, ...keys], "Q8_0", beside8, { experts: 8 });
const expertOutput = rule(attention, "Q5_K", beside8, { experts: 8, ...notFalcon });

/** In a 70B model eight heads share the values, which are an eighth of the queries' size. */
function values70B(when: Conditions = {}): Rule {
  return rule(values, "Q5_K", "values of a 70B model", { is70B: true, ...when });
}

/** Values that several heads share are few, and count for all of these heads. */
function sharedValues(to: FormatName): Rule {
  return rule(values, to, "values that heads share", shared);
}

const plain: readonly Rule[] = [...output("Q6_K"), expertAttention];

/** What the mixtures of IQ1 and IQ2 have in common; `better` is for the tensors that suffer most. */
function lowest(better: FormatName, ...others: readonly Rule[]): readonly Rule[] {
  return [
    ...output("Q5_K"),
    embedding(better),
    sharedValues("Q4_K"),
    rule(values, "Q4_K", "values beside experts", { experts: { least: 4 } }),
    rule(values, better, "values"),
    rule(keys, "Q4_K", beside8, { experts: 8 }),
    rule(attention, "Q5_K", beside8, { experts: 8 }),
    rule(down, better, "ffn_down of the first eighth", { firstEighthByTurn: true }),
    ...others,
  ];
}

/** Without an importance matrix the first layers' ffn_down go wrong in IQ4. */
const iq4: readonly Rule[] = [
  ...plain,
  sharedValues("Q5_K"),
  rule(down, "Q5_K", "ffn_down of the first eighth", { firstEighth: true, hasImportance: false }),
  expertOutput,
];

/** With an importance matrix the first layers' ffn_down go wrong in types without a minimum. */
function guarded(to: FormatName): readonly Rule[] {
  const when = { firstEighth: true, hasImportance: true };
  return [...plain, rule(down, to, "ffn_down of the first eighth", when)];
}

const q3km: readonly Rule[] = [
  ...plain,
  values70B(),
  rule(values, "Q5_K", "values of the first two", { turn: { below: 2 } }),
  rule(values, "Q4_K", "values"),
  rule(down, "Q5_K", "ffn_down of the first sixteenth", { firstSixteenth: true }),
  rule(down, "Q3_K", "ffn_down of falcon", { ...falcon, moreBits: false }),
  rule(down, "Q4_K", "ffn_down"),
  expertOutput,
  rule(attention, "Q4_K", "attention output", notFalcon),
];

const q4km: readonly Rule[] = [
  ...plain,
  rule(values, "Q6_K", "values of outer and every third layers", { moreBits: true }),
  values70B(),
  rule(down, "Q6_K", "ffn_down of the first sixteenth", { ...falcon, firstSixteenth: true }),
  rule(down, "Q5_K", "ffn_down of outer and every third layers", { ...falcon, moreBits: true }),
  rule(down, "Q6_K", "ffn_down of outer and every third layers", { ...notFalcon, moreBits: true }),
  expertOutput,
];

const iq3xxs: readonly Rule[] = [
  ...output("Q5_K"),
  embedding("IQ3_S"),
  expertAttention,
  values70B(shared),
  sharedValues("Q4_K"),
  rule(values, "IQ3_S", "values", { hasImportance: false }),
  rule(keysAndQueries, "IQ2_S", "keys and queries"),
  rule(down, "Q4_K", "ffn_down of the first eighth", { firstEighth: true, hasImportance: false }),
  rule(down, "Q3_K", "ffn_down", { hasImportance: false }),
  expertOutput,
  rule(attention, "IQ3_S", "attention output", notFalcon),
];

/** Experts, which are stacked, as MXFP4. The projections of multi-head latent attention are stacked too. */
const mxfp4moe: readonly Rule[] = [
  rule(["output"], "Q8_0", "output"),
  rule([...gateAndUp, ...down], "MXFP4", "experts", { stacked: true }),
  { to: "MXFP4", what: "experts", when: { stacked: true, architecture: { not: "bailingmoe3" } } },
  { to: "Q8_0", what: "all but experts" },
];

export const mixtures = {
  plain,
  iq1: lowest("Q2_K", rule(attention, "IQ2_XXS", "attention output")),
  iq2x: lowest("Q2_K"),
  iq2s: lowest("IQ3_S", rule(attention, "IQ3_S", "attention output")),
  ternary: [embedding("Q4_K"), ...plain],
  q2k: [
    ...plain,
    values70B(),
    sharedValues("Q4_K"),
    rule(values, "Q3_K", "values"),
    rule(down, "Q3_K", "ffn_down"),
    expertOutput,
    rule(attention, "Q3_K", "attention output", notFalcon),
  ],
  q2ks: [
    ...plain,
    values70B(shared),
    sharedValues("Q4_K"),
    rule(down, "Q4_K", "ffn_down of the first eighth", { firstEighth: true }),
  ],
  iq3xxs,
  iq3xs: [
    ...plain,
    values70B(shared),
    sharedValues("Q4_K"),
    rule(keysAndQueries, "IQ3_XXS", "keys and queries"),
    rule(gateAndUp, "IQ3_XXS", "ffn_gate and ffn_up between the outer eighths", { middle: true }),
    expertOutput,
  ],
  iq3s: [...plain, values70B(shared), sharedValues("Q4_K"), expertOutput],
  iq3m: [
    ...plain,
    values70B(),
    rule(values, "Q4_K", "values"),
    rule(down, "Q4_K", "ffn_down of the first eighth", { firstEighth: true }),
    rule(down, "Q4_K", "ffn_down of outer and every third layers", { experts: 8, moreBits: true }),
    expertOutput,
    rule(attention, "Q4_K", "attention output", notFalcon),
  ],
  q3ks: [...plain, values70B(), expertOutput],
  q3km,
  q3kl: [
    ...plain,
    rule(values, "Q5_K", "values"),
    rule(down, "Q4_K", "ffn_down of falcon", falcon),
    rule(down, "Q5_K", "ffn_down"),
    rule(attention, "Q4_K", "attention output of falcon", falcon),
    rule(attention, "Q5_K", "attention output", { experts: { not: 8 } }),
  ],
  iq4,
  mxfp4moe,
  q4: guarded("Q4_1"),
  q4ks: [
    ...plain,
    values70B(),
    rule(values, "Q5_K", "values of the first four", { turn: { below: 4 } }),
    rule(down, "Q5_K", "ffn_down of the first eighth", { ...notFalcon, firstEighth: true }),
    expertOutput,
  ],
  q4km,
  q5: guarded("Q5_1"),
  q5km: [
    ...plain,
    rule(values, "Q6_K", "values of outer and every third layers", { moreBits: true }),
    rule(down, "Q6_K", "ffn_down of outer and every third layers", { moreBits: true }),
  ],
} as const satisfies Record<string, readonly Rule[]>;
