import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { devices, type Device } from "../../src/run/devices.js";
import { buildGguf } from "../helpers/gguf-builder.js";
import { makeableWithoutImportance } from "../helpers/makeable-recipes.js";
import { randomWeights } from "../helpers/random.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const [device] = await devices();
const { isas } = device as Device;

function run(isa: string, ...args: string[]): string {
  const env = { ...process.env, NIBBLE_FORCE_ISA: isa };
  return execFileSync(process.execPath, [cli, ...args], { env, encoding: "utf8" });
}

beforeAll(() => {
  const values = randomWeights(256 * 99, 5);
  const tensor = { name: "blk.0.ffn_up.weight", type: "F32", shape: [256, 99] };
  const data = new Uint8Array(values.buffer);
  writeFileSync(file("model.gguf"), buildGguf({ tensors: [{ ...tensor, data }] }));
});

describe("NIBBLE_FORCE_ISA", () => {
  it.each(isas)("%s is the one that runs", (isa) => {
    const [found] = JSON.parse(run(isa, "devices", "--json")) as Device[];
    expect(found?.isa).toBe(isa);
  });

  it("gives the same file whatever it names", { timeout: 120_000 }, () => {
    expect(isas).toContain("generic");
    for (const { name } of makeableWithoutImportance) {
      const sums = isas.map((isa) => {
        const output = file(`${name}-${isa}.gguf`);
        run(isa, "quantize", file("model.gguf"), output, "--type", name, "--quiet");
        return createHash("sha256").update(readFileSync(output)).digest("hex");
      });
      expect(new Set(sums).size, name).toBe(1);
    }
  });

  it("is an error where there is no such instruction set", () => {
    const env = { ...process.env, NIBBLE_FORCE_ISA: "sse9" };
    const options = { env, encoding: "utf8" } as const;
    const { status, stderr } = spawnSync(process.execPath, [cli, "devices"], options);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^nibble: .*NIBBLE_FORCE_ISA.*generic.*sse9.*\n$/);
  });
});
