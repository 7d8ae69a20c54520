import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { createNewFile, giveNames, type NewFile } from "../../src/sources/new-file.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

async function finished(name: string, overwrite = false): Promise<NewFile> {
  const made = await createNewFile(file(name), overwrite);
  await made.write(Buffer.from(`new ${name}`));
  await made.finish();
  return made;
}

const read = (name: string) => readFileSync(file(name), "utf8");

describe("a new file", () => {
  it("has its name when it is published, and no other is left", async () => {
    const made = await finished("one");
    expect(existsSync(file("one"))).toBe(false);
    expect(readFileSync(made.partial, "utf8")).toBe("new one");
    await made.publish();
    await made.discard();
    expect(read("one")).toBe("new one");
    expect(readdirSync(file(".")).filter((name) => name.startsWith("one"))).toEqual(["one"]);
  });
});

describe("names of several files", () => {
  it("are taken back where one was taken meanwhile", async () => {
    const files = [await finished("a1"), await finished("a2"), await finished("a3")];
    writeFileSync(file("a2"), "precious");
    const error: unknown = await giveNames(files, false).catch((reason: unknown) => reason);
    expect(isNibbleError(error, "ERR_ARGUMENT")).toBe(true);
    for (const each of files) await each.discard();
    expect(readdirSync(file(".")).filter((name) => name.startsWith("a"))).toEqual(["a2"]);
    expect(read("a2")).toBe("precious");
  });

  it("replace what has them, if that is wished", async () => {
    for (const name of ["b1", "b2"]) writeFileSync(file(name), "old");
    const files = [await finished("b1", true), await finished("b2", true)];
    expect(read("b1")).toBe("old");
    await giveNames(files, true);
    for (const each of files) await each.discard();
    expect([read("b1"), read("b2")]).toEqual(["new b1", "new b2"]);
  });
});
