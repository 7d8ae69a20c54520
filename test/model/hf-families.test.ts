import { describe, expect, it } from "vitest";
import { quantize } from "../../src/quantize/quantize.js";
import { llamaCpp } from "../../src/run/engine-llama-cpp.js";
import { readGguf } from "../../src/sources/gguf.js";
import { buildGolden, hfGoldens } from "../helpers/hf-golden.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

// Every family's tiny model, converted, is the model that transformers computes: names, orders, transforms and the
// metadata that the graph depends on are all in these numbers.
describe.each(hfGoldens)("$name in llama.cpp", (golden) => {
  it("gives the log-probabilities of transformers", async () => {
    const { tokens, logProbabilities } = golden.reference;
    const output = file(`${golden.name}.gguf`);
    await quantize(buildGolden(file(golden.name), golden), { recipe: "F32", output });
    const model = await llamaCpp.load(await readGguf(output), { threads: 1 });
    const context = await model.createContext(64);
    const found = await context.logProbabilities(tokens, 0);
    await model.dispose();
    const errors = logProbabilities.map((value, i) => Math.abs(value - (found[i] ?? NaN)));
    expect(Math.max(...errors)).toBeLessThan(0.05);
  });
});
