/** What a model is, for the reference: every property that the architectures differ by, each with a name of its own. */
export interface ReferenceConfig extends Traits {
  /** As GGUF calls it. Says nothing to the reference but how keys are named: `traits` says the rest. */
  readonly architecture: string;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffnWidth: number;
  readonly vocabulary: number;
  readonly normEps: number;
  /** Of q . k; 1 / sqrt(headDim) where it is left out. */
  readonly attentionScale?: number;
  /** A token sees so many tokens, itself among them; all where it is left out. */
  readonly window?: number;
  readonly ropeBase: number;
  /** Of a head, the first so many values are turned. */
  readonly ropeDims: number;
  readonly rope: RopeScaling;
}

export interface Traits {
  /** Layer norm, with biases; else RMS norm, without. */
  readonly layerNorm?: boolean;
  /** Norms stand before attention and feed-forward (by default), behind them, or both. */
  readonly norms?: "before" | "behind" | "both";
  /** Rotary embedding turns neighbours; else halves of what is turned. */
  readonly neighbours?: boolean;
  readonly noRope?: boolean;
  /** GELU (the tanh formula) instead of SiLU. */
  readonly gelu?: boolean;
  readonly noGate?: boolean;
  /** Which matrices have biases. */
  readonly biases?: "all" | "qkv";
  /** One tensor holds the rows of several: q, k and v; gate and up. */
  readonly fusedQkv?: boolean;
  readonly fusedGate?: boolean;
  /** Queries and keys are normed: every head, by one row of weights or one of its own; or the whole row. */
  readonly queryNorms?: "head" | "own rows" | "row";
  /**
   * Attention and feed-forward see the same stream, each through its norm ("two norms"), both through one, or through two
   * of which attention has the one called attn_norm_2 and the other is called attn_norm.
   */
  readonly parallel?: "two norms" | "one norm" | "attn_norm_2";
  readonly learnedPositions?: number;
  /** The last of so many layers has no window. */
  readonly windowPeriod?: number;
  /** Rotary embedding in layers with a window: its base, and whether it is stretched. */
  readonly windowRopeBase?: number;
  readonly windowRopeIsPlain?: boolean;
  readonly attentionCap?: number;
  readonly logitCap?: number;
  readonly embeddingScale?: number;
  /** The embedding times the root of the width; scores over the root of width / heads. */
  readonly embedsByWidth?: boolean;
  readonly attentionByWidth?: boolean;
  readonly residualScale?: number;
  readonly logitDivisor?: number;
  readonly experts?: ReferenceExperts;
}

export interface ReferenceExperts {
  readonly count: number;
  readonly used: number;
  readonly width: number;
  readonly sumToOne: boolean;
  /** Width of one that sees every token, with a gate. */
  readonly sharedWidth?: number;
}

/** How rotary embedding is stretched to contexts that are longer than those of the training. */
export type RopeScaling =
  | { readonly kind: "none" }
  | { readonly kind: "linear"; readonly factor: number }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFactor: number;
      readonly highFactor: number;
      readonly original: number;
    }
  | {
      readonly kind: "yarn";
      readonly factor: number;
      readonly original: number;
      readonly betaFast?: number;
      readonly betaSlow?: number;
      readonly attentionFactor?: number;
    }
  | {
      readonly kind: "longrope";
      readonly original: number;
      readonly attentionFactor: number;
      /** Divisors, pair by pair: in contexts up to the original length, and in longer ones. */
      readonly short: readonly number[];
      readonly long: readonly number[];
      /** Which of them holds. */
      readonly isLong: boolean;
    };
