import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { isNibbleError, type NibbleErrorCode } from "../../src/errors.js";
import type { Progress } from "../../src/progress.js";
import { quantize, type QuantizeOptions } from "../../src/quantize/quantize.js";
import { verify } from "../../src/quantize/verify.js";
import { buildGguf } from "../helpers/gguf-builder.js";
import { randomWeights } from "../helpers/random.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

/** A GGUF of F32 matrices with 256 values in a row. */
function writeModel(path: string, matrices: readonly Float32Array[]): string {
  const bytes = (values: Float32Array) =>
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  writeFileSync(
    path,
    buildGguf({
      metadata: [{ key: "general.architecture", type: "string", value: "somebody-elses" }],
      tensors: matrices.map((values, i) => ({
        name: `blk.${i}.ffn_up.weight`,
        type: "F32",
        shape: [256, values.length / 256],
        data: bytes(values),
      })),
    }),
  );
  return path;
}

let model: string;
beforeAll(() => {
  model = writeModel(
    file("model.gguf"),
    Array.from({ length: 12 }, (_, i) => randomWeights(256 * 512, i + 1)),
  );
});

async function failure(source: string, options: QuantizeOptions): Promise<unknown> {
  return quantize(source, options).then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("quantize", () => {
  it("quantizes a model of an architecture that nobody knows, and verify agrees", async () => {
    const output = file("known.gguf");
    const seen: Progress[] = [];
    const report = await quantize(model, {
      recipe: "Q8_0",
      output,
      onProgress: (p) => seen.push(p),
    });
    expect(report.verified).toBe(true);
    expect(
      report.tensors.every(({ relativeRmse }) => relativeRmse! > 0 && relativeRmse! < 0.01),
    ).toBe(true);
    expect(existsSync(`${output}.partial`)).toBe(false);
    expect(existsSync(`${output}.partial.journal`)).toBe(false);
    const { ok, tensors } = await verify(output, { against: model });
    expect(ok).toBe(true);
    expect(tensors[0]!.rmse).toBe(report.tensors[0]!.rmse);
    expect(new Set(seen.map(({ phase }) => phase))).toEqual(new Set(["quantize", "verify"]));
    expect(seen.every(({ done, total }) => done >= 0 && done <= total)).toBe(true);
  });

  it("gives the same report of errors for any number of threads", async () => {
    const [one, two] = await Promise.all(
      [1, 2].map((threads) =>
        quantize(model, { recipe: "Q4_0", output: file(`t${threads}.gguf`), threads }),
      ),
    );
    expect(one!.tensors).toEqual(two!.tensors);
  });

  it("finds a tensor that was damaged afterwards", async () => {
    const output = file("damaged.gguf");
    await quantize(model, { recipe: "Q8_0", output });
    const bytes = readFileSync(output);
    // The last blocks: scales become NaN.
    bytes.fill(0xff, bytes.length - 34 * 4);
    writeFileSync(output, bytes);
    const { ok, problems } = await verify(output);
    expect(ok).toBe(false);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("blk.11.ffn_up.weight");
  });

  it("warns of a tensor that zeros would serve better, as a search of large values makes it", async () => {
    // One value in every block: the others of its group take whatever the codebook has beside it.
    const spikes = Float32Array.from({ length: 256 * 512 }, (_, i) => (i % 256 === 32 ? 1 : 0));
    const source = writeModel(file("spikes.gguf"), [spikes, randomWeights(256 * 512, 2)]);
    const output = file("of-spikes.gguf");
    const { warnings } = await quantize(source, { recipe: "IQ3_S", output, pure: true });
    const found = [expect.stringMatching(/^blk\.0\.ffn_up\.weight: .*zeros.*--tensor-type/)];
    expect(warnings).toEqual(found);
    const report = await verify(output, { against: source });
    expect(report).toMatchObject({ ok: true, problems: [], warnings: found });
  });

  it("finds two tensors that were swapped, by their source", async () => {
    const swapped = writeModel(
      file("swapped.gguf"),
      Array.from({ length: 12 }, (_, i) => randomWeights(256 * 512, i < 2 ? 2 - i : i + 1)),
    );
    const output = file("of-swapped.gguf");
    await quantize(swapped, { recipe: "Q8_0", output });
    const { problems } = await verify(output, { against: model });
    expect(problems.map((problem) => problem.split(":")[0])).toEqual([
      "blk.0.ffn_up.weight",
      "blk.1.ffn_up.weight",
    ]);
  });
});

describe("quantize refuses", () => {
  const rows: { what: string; code: NibbleErrorCode; says: RegExp; run: () => Promise<unknown> }[] =
    [
      {
        what: "an output that exists",
        code: "ERR_ARGUMENT",
        says: /--overwrite/,
        run: () => {
          writeFileSync(file("there.gguf"), "precious");
          return failure(model, { recipe: "Q8_0", output: file("there.gguf") });
        },
      },
      {
        what: "an output that is the input",
        code: "ERR_ARGUMENT",
        says: /not one of the inputs/,
        run: () => failure(model, { recipe: "Q8_0", output: model, overwrite: true }),
      },
      {
        what: "an output that is the input through a link",
        code: "ERR_ARGUMENT",
        says: /not one of the inputs/,
        run: () => {
          symlinkSync(model, file("link.gguf"));
          return failure(model, { recipe: "Q8_0", output: file("link.gguf"), overwrite: true });
        },
      },
      {
        what: "an output that is a folder",
        code: "ERR_ARGUMENT",
        says: /folder/,
        run: () => {
          mkdirSync(file("folder.gguf"));
          return failure(model, { recipe: "Q8_0", output: file("folder.gguf"), overwrite: true });
        },
      },
      {
        what: "NaN in the weights",
        code: "ERR_FORMAT",
        says: /blk\.1\.ffn_up\.weight: the value in row 3, column 5 is NaN/,
        run: () => {
          const values = randomWeights(256 * 8, 1);
          const bad = values.slice();
          bad[3 * 256 + 5] = NaN;
          return failure(writeModel(file("nan.gguf"), [values, bad]), {
            recipe: "Q4_0",
            output: file("of-nan.gguf"),
          });
        },
      },
      {
        what: "infinity in weights that are copied",
        code: "ERR_FORMAT",
        says: /infinite/,
        run: () => {
          const bad = randomWeights(256 * 8, 1);
          bad[0] = -Infinity;
          return failure(writeModel(file("inf.gguf"), [bad]), {
            recipe: "F32",
            output: file("of-inf.gguf"),
          });
        },
      },
      {
        what: "weights that overflow F16",
        code: "ERR_VERIFY",
        says: /NaN or infinite as F16/,
        run: () => {
          const bad = randomWeights(256 * 8, 1);
          bad[0] = 1e6;
          return failure(writeModel(file("huge.gguf"), [bad]), {
            recipe: "F16",
            output: file("of-huge.gguf"),
          });
        },
      },
      {
        what: "a number of threads that is none",
        code: "ERR_ARGUMENT",
        says: /threads/,
        run: () => failure(model, { recipe: "Q8_0", output: file("threads.gguf"), threads: 0 }),
      },
      {
        what: "a method that is none",
        code: "ERR_ARGUMENT",
        says: /reference/,
        run: () =>
          failure(model, {
            recipe: "Q8_0",
            output: file("method.gguf"),
            method: "magic" as "reference",
          }),
      },
      {
        what: "a folder that cannot be written",
        code: "ERR_IO",
        says: /./,
        run: () => failure(model, { recipe: "Q8_0", output: `${model}/inside.gguf` }),
      },
    ];
  for (const { what, code, says, run } of rows) {
    it(what, async () => {
      const error = await run();
      expect(isNibbleError(error, code), String(error)).toBe(true);
      expect((error as Error).message).toMatch(says);
      expect(readdirSync(file(".")).filter((name) => name.includes("partial"))).toEqual([]);
    });
  }

  it("leaves the file that was there alone", () => {
    expect(readFileSync(file("there.gguf"), "utf8")).toBe("precious");
  });
});
