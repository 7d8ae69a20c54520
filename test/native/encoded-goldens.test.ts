import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hashModel } from "../../src/quantize/hash-model.js";
import { quantize } from "../../src/quantize/quantize.js";
import { verify } from "../../src/quantize/verify.js";
import { encodedKinds, encodedModel } from "../helpers/encoded-model.js";
import { buildHfDirectory } from "../helpers/hf-builder.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const golden = JSON.parse(
  readFileSync(new URL("../golden/encodings.json", import.meta.url), "utf8"),
) as { tensors: Record<string, Record<string, string>> };

describe("quantized checkpoints become upstream's F32, bit for bit", () => {
  it("all of them", () => {
    expect(Object.keys(golden.tensors).sort()).toEqual(Object.keys(encodedKinds).sort());
  });
  for (const [name, kind] of Object.entries(encodedKinds)) {
    it(name, async () => {
      const source = buildHfDirectory(file(name), encodedModel(kind));
      const output = file(`${name}.gguf`);
      const report = await quantize(source, { recipe: "F32", output });
      expect(report.verified).toBe(true);
      const { tensors } = await hashModel(output);
      const sums = Object.fromEntries(tensors.map((tensor) => [tensor.name, tensor.sha256]));
      expect(sums).toEqual(golden.tensors[name]);
    });
  }

  it("and with other types the error is that of the type", async () => {
    const source = file(Object.keys(encodedKinds)[0]!);
    for (const recipe of ["BF16", "Q8_0", "COPY"] as const) {
      const output = file(`${recipe}.gguf`);
      await quantize(source, { recipe, output });
      const { ok, problems } = await verify(output, { against: source });
      expect(problems).toEqual([]);
      expect(ok).toBe(true);
    }
  });
});
