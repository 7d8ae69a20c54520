import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { quantize } from "../../src/quantize/quantize.js";
import { devices, type Device } from "../../src/run/devices.js";
import { perplexity } from "../../src/run/perplexity.js";
import { embeddedModel } from "../helpers/embedded-model.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const model = file("nibble-8m-Q4_0.gguf");
const text = readFileSync(fileURLToPath(new URL("../../README.md", import.meta.url)), "utf8");
beforeAll(() => quantize(embeddedModel, { recipe: "Q4_0", output: model }));

const [{ cores }] = (await devices()) as [Device];

describe("the engine beside others", () => {
  it("lets Node's event loop run while it computes", async () => {
    const options = { text: text.repeat(4), contextLength: 512, chunks: 4 };
    await perplexity(model, options); // loads what is loaded once
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 10);
    const began = performance.now();
    await perplexity(model, options);
    const elapsed = performance.now() - began;
    clearInterval(timer);
    // All cores are taken by the engine, so that a timer may be late, but it is never kept from its turns.
    expect(ticks).toBeGreaterThan(elapsed / 10 / 3);
  });

  const hasTaskset = spawnSync("taskset", ["--version"], { stdio: "ignore" }).status === 0;
  it.skipIf(!hasTaskset || cores < 2)("takes no more cores than it may use", () => {
    const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
    const args = ["-c", "0", process.execPath, cli, "devices", "--json"];
    const { stdout } = spawnSync("taskset", args, { encoding: "utf8" });
    expect(JSON.parse(stdout)).toMatchObject([{ cores: 1 }]);
  });
});
