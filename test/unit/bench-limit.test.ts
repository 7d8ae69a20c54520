import { describe, expect, it } from "vitest";
import { attentionWork, leastSeconds } from "../../src/run/bench-limit.js";
import type { ModelInfo } from "../../src/sources/model-info.js";

const tensor = (name: string, shape: readonly number[]): ModelInfo["tensors"][number] => ({
  ...{ name, shape, type: "F16" },
  ...{ bytes: 2 * shape.reduce((a, b) => a * b), pieces: [] },
});

/** Two layers of 4 heads of 8 values, which share 2 heads of keys and values. */
function model(isFused: boolean, keys: readonly string[] = []): ModelInfo {
  const layer = (i: number): ModelInfo["tensors"] => [
    ...(isFused
      ? [tensor(`blk.${i}.attn_qkv.weight`, [32, 64])]
      : [tensor(`blk.${i}.attn_q.weight`, [32, 32]), tensor(`blk.${i}.attn_k.weight`, [32, 16])]),
    tensor(`blk.${i}.attn_output.weight`, [32, 32]),
  ];
  return {
    tensors: [...layer(0), ...layer(1)],
    metadata: keys.map((key) => ({ key, type: "uint32", value: 1 })),
  } as unknown as ModelInfo;
}

describe("the limit of attention", () => {
  it.each([false, true])("counts the tokens that each one sees (fused: %s)", (isFused) => {
    // Tokens 11, 12 and 13 see 11 + 12 + 13 = 36 tokens; keys and values of a token have 2 layers x 2 x 16 values.
    const written = { kind: "tg", tokens: 3, depth: 10 } as const;
    const operations = 36 * 2 * 4 * 8 * 4;
    expect(attentionWork(model(isFused), written, "F16")).toEqual({
      ...{ bytes: 36 * 64 * 2, int8Operations: 0, f32Operations: operations },
    });
    expect(attentionWork(model(isFused), written, "Q8_0")).toEqual({
      ...{ bytes: (36 * 64 * 34) / 32, int8Operations: operations / 2 },
      f32Operations: operations / 2,
    });
    // A prompt reads them once.
    const read = { ...written, kind: "pp" } as const;
    expect(attentionWork(model(isFused), read, "F16").bytes).toBe(13 * 64 * 2);
  });

  it("is not known of layers with a window, or without keys", () => {
    const none = { bytes: 0, int8Operations: 0, f32Operations: 0 };
    const test = { kind: "pp", tokens: 8 } as const;
    const windowed = model(false, ["gemma2.attention.sliding_window"]);
    expect(attentionWork(windowed, test, "F16")).toEqual(none);
    expect(attentionWork({ ...windowed, tensors: [], metadata: [] }, test, "F16")).toEqual(none);
  });

  it("comes behind the weights; reading hides behind computing", () => {
    const limits = {
      threads: 1,
      readBytes: 10,
      copyBytes: 10,
      int8Operations: 4,
      f32Operations: 2,
    };
    const weights = { bytes: 20, int8Operations: 4, f32Operations: 0 };
    const attention = { bytes: 5, int8Operations: 4, f32Operations: 1 };
    expect(leastSeconds([weights, attention], limits)).toBe(2 + 1.5);
  });
});
