import { getLlama, LlamaLogLevel, type Token } from "node-llama-cpp";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { quantize } from "../../src/quantize/quantize.js";
import { buildGolden, goldenValues, hfGoldens, type HfGolden } from "../helpers/hf-golden.js";
import { buildLora, loraGolden } from "../helpers/lora-golden.js";
import type { BuiltWeight } from "../helpers/safetensors-builder.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

const rank = 4;
const alpha = 0.5;

function weight(name: string, shape: readonly number[], values: Float32Array): BuiltWeight {
  return { name, shape, dtype: "F32", data: new Uint8Array(values.buffer) };
}

function product(b: Float32Array, a: Float32Array, out: number, into: number): Float32Array {
  return Float32Array.from({ length: out * into }, (_, at) => {
    const [row, column] = [Math.floor(at / into), at % into];
    let sum = 0;
    for (let r = 0; r < rank; r += 1) sum += (b[row * rank + r] ?? 0) * (a[r * into + column] ?? 0);
    return sum;
  });
}

/** What PEFT has of a weight's change: its halves, and the weight with (alpha / rank) B A in it. */
function changed(name: string, shape: readonly number[], family: string) {
  const [first = 0, second = 0] = shape;
  const isEmbedding = /embed_tokens|embed_in|wte/.test(name);
  const isConv1d = family === "gpt2" && !isEmbedding && !name.startsWith("lm_head");
  const [out, into] = isEmbedding || isConv1d ? [second, first] : [first, second];
  const [kind, end] = isEmbedding ? ["lora_embedding_", ""] : ["lora_", ".weight"];
  const half = (letter: string, lengths: readonly number[]) => {
    const full = `base_model.model.${name.replace(/\.weight$/, "")}.${kind}${letter}${end}`;
    return weight(full, lengths, goldenValues(full, (lengths[0] ?? 0) * (lengths[1] ?? 0)));
  };
  const [a, b] = [half("A", [rank, into]), half("B", [out, rank])];
  const floats = ({ data }: BuiltWeight) => new Float32Array(data.buffer);
  const delta = product(floats(b), floats(a), out, into);
  const values = goldenValues(name, first * second).map((value, at) => {
    const [row, column] = [Math.floor(at / second), at % second];
    const place = out === first && !isEmbedding && !isConv1d ? at : column * into + row;
    return value + (alpha / rank) * (delta[place] ?? 0);
  });
  return { pair: [a, b], merged: weight(name, shape, values) };
}

let library: ReturnType<typeof getLlama> | undefined;

async function logProbabilities(
  modelPath: string,
  tokens: readonly number[],
  lora?: string,
): Promise<readonly number[]> {
  library ??= getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
  const model = await (await library).loadModel({ modelPath, gpuLayers: 0 });
  const context = await model.createContext({
    contextSize: 64,
    ...(lora !== undefined && { lora }),
  });
  const generateNext = { token: true, logits: true, options: { temperature: 0 } } as const;
  const outputs = await context
    .getSequence()
    .controlledEvaluate(tokens.map((token) => [token as Token, { generateNext }]));
  const found = outputs.slice(0, -1).map((output, i) => {
    const logits = output?.next.logits ?? new Map<Token, number>();
    const sum = [...logits.values()].reduce((total, logit) => total + Math.exp(logit), 0);
    return (logits.get(tokens[i + 1] as Token) ?? NaN) - Math.log(sum);
  });
  await model.dispose();
  return found;
}

/** Rotated rows, embedding and head; weights stored [in, out]; fused rows; experts. */
const tested = ["llama", "gpt2", "gptneox", "qwen3moe"];

// The adapter on its base is the model with the change merged into its weights: names, orders of rows, transposed
// weights, embeddings, experts and the scale are all in these numbers.
describe.each(hfGoldens.filter(({ name }) => tested.includes(name)))(
  "an adapter of $name",
  (golden) => {
    it("makes of the base what PEFT merges", async () => {
      const own: HfGolden = { ...golden, dtype: "F32" };
      const untied = golden.weights.some(
        ([name]) => name === "lm_head.weight" || name === "embed_out.weight",
      );
      const isChanged = (name: string, shape: readonly number[]): boolean =>
        shape.length === 2 &&
        name.endsWith(".weight") &&
        !name.includes("wpe") &&
        (untied || !/embed|wte|word_embeddings/.test(name));
      const changes = golden.weights.map(([name, shape]) =>
        isChanged(name, shape)
          ? changed(name, shape, golden.name)
          : {
              pair: [],
              merged: weight(
                name,
                shape,
                goldenValues(
                  name,
                  shape.reduce((a, b) => a * b, 1),
                ),
              ),
            },
      );
      const folder = (name: string): string => file(join(golden.name + name));
      const [base, merged, lora] = ["base", "merged", "lora"].map((name) =>
        file(`${golden.name}-${name}.gguf`),
      ) as [string, string, string];
      await quantize(buildGolden(folder("-a"), own), { recipe: "F32", output: base });
      const weights = changes.map((change) => change.merged);
      await quantize(buildGolden(folder("-b"), own, { weights }), {
        recipe: "F32",
        output: merged,
      });
      const built = changes.flatMap(({ pair }) => pair);
      const paths = buildLora(
        folder("-c"),
        { ...loraGolden("llama"), base: golden.name },
        { built, config: { r: rank, lora_alpha: alpha } },
      );
      await quantize(paths.adapter, { base: paths.base, recipe: "F32", output: lora });
      const { tokens } = golden.reference;
      const wanted = await logProbabilities(merged, tokens);
      const without = await logProbabilities(base, tokens);
      const found = await logProbabilities(base, tokens, lora);
      const difference = (other: readonly number[]): number =>
        Math.max(...wanted.map((value, i) => Math.abs(value - (other[i] ?? NaN))));
      expect(difference(found)).toBeLessThan(0.02);
      expect(difference(without)).toBeGreaterThan(0.2);
    });
  },
);
