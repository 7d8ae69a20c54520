import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { isNibbleError, type NibbleError, type NibbleErrorCode } from "../../src/errors.js";
import { createDivergence } from "../../src/run/divergence.js";
import { createRandom } from "../../src/run/random.js";
import { createReferenceWriter, openReference } from "../../src/run/reference-file.js";
import { hashTokens, type ReferenceHeader } from "../../src/run/reference-header.js";
import { createRecorder, type ReferenceRecord } from "../../src/run/reference-record.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const folder = temporaryFolder();
let count = 0;
/** A path in a folder of its own. */
const fresh = (): string => folder(`${(count += 1)}/reference.bin`);

const header: ReferenceHeader = {
  vocabularySize: 30,
  topK: 5,
  contextLength: 16,
  chunks: 2,
  positionsPerChunk: 7,
  firstPosition: 8,
  tokensSha256: hashTokens([1, 2, 300]),
  model: "Nibble 8M \u00e4",
};

const random = createRandom(99);

function logitsOf(size: number): Float32Array {
  return Float32Array.from({ length: size }, () => 10 * random());
}

interface Position {
  readonly logits: Float32Array;
  readonly target: number;
}

async function write(path: string, header: ReferenceHeader): Promise<Position[]> {
  const writer = await createReferenceWriter(path, header);
  const all: Position[] = [];
  for (let i = 0; i < header.chunks * header.positionsPerChunk; i += 1) {
    const target = Math.floor(header.vocabularySize * random());
    const logits = logitsOf(header.vocabularySize);
    all.push({ logits, target });
    await writer.add(logits, target);
  }
  await writer.finish();
  return all;
}

async function readAll(path: string): Promise<ReferenceRecord[]> {
  const reader = await openReference(path);
  const records: ReferenceRecord[] = [];
  try {
    for (let i = 0; i < reader.positions; i += 1) records.push(await reader.read(i));
  } finally {
    await reader.close();
  }
  return records;
}

async function failure(work: Promise<unknown>, code: NibbleErrorCode): Promise<NibbleError> {
  const error: unknown = await work.then(
    () => "no error",
    (thrown: unknown) => thrown,
  );
  expect(error).toSatisfy((thrown) => isNibbleError(thrown, code));
  return error as NibbleError;
}

describe("a reference file", () => {
  it.each<[string, Partial<ReferenceHeader>]>([
    ["a few tokens", {}],
    ["one token", { topK: 1 }],
    ["the whole vocabulary", { topK: 30 }],
    ["more than a block of records", { vocabularySize: 3000, topK: 2500, chunks: 8 }],
  ])("gives back what was written: %s", async (_, changes) => {
    const path = fresh();
    const own = { ...header, ...changes };
    const all = await write(path, own);
    const recordOf = createRecorder(own.vocabularySize, own.topK);
    const reader = await openReference(path);
    expect(reader.header).toEqual(own);
    expect(await readAll(path)).toEqual(all.map(({ logits, target }) => recordOf(logits, target)));
    // In any order, too.
    for (const i of [all.length - 1, 0, 5])
      expect(await reader.read(i)).toEqual(recordOf(all[i]!.logits, all[i]!.target));
    await reader.close();
    expect(readdirSync(dirname(path))).toEqual(["reference.bin"]);
  });

  it("has records that are the softmax, sorted", async () => {
    const path = fresh();
    const all = await write(path, header);
    const records = await readAll(path);
    for (const [i, { logits, target }] of all.entries()) {
      const sum = [...logits].reduce((total, x) => total + Math.exp(x), 0);
      const sorted = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!);
      const { ids, logProbabilities, residual, targetLogProbability } = records[i]!;
      expect([...ids]).toEqual(sorted.slice(0, 5));
      ids.forEach((id, k) =>
        expect(logProbabilities[k]).toBeCloseTo(Math.log(Math.exp(logits[id]!) / sum), 5),
      );
      const rest = sorted.slice(5).reduce((total, id) => total + Math.exp(logits[id]!) / sum, 0);
      expect(residual).toBeCloseTo(rest, 6);
      expect(targetLogProbability).toBeCloseTo(logits[target]! - Math.log(sum), 5);
    }
  });

  it("of the whole vocabulary gives the divergence of the logits, of less a lower bound", async () => {
    const whole = fresh();
    const part = fresh();
    const [exact, fromWhole, fromPart] = [
      createDivergence(),
      createDivergence(),
      createDivergence(),
    ];
    const writers = [
      await createReferenceWriter(whole, { ...header, topK: 30 }),
      await createReferenceWriter(part, header),
    ];
    const all = Array.from({ length: 14 }, (_, target) => ({
      reference: logitsOf(30),
      logits: logitsOf(30),
      target,
    }));
    for (const { reference, target } of all)
      for (const writer of writers) await writer.add(reference, target);
    for (const writer of writers) await writer.finish();
    const records = await Promise.all([readAll(whole), readAll(part)]);
    all.forEach(({ reference, logits, target }, i) => {
      exact.add(reference, logits, target);
      fromWhole.addRecord(records[0][i]!, logits, target);
      fromPart.addRecord(records[1][i]!, logits, target);
    });
    const kld = exact.report().kld.mean.value;
    expect(fromWhole.report().kld.mean.value).toBeCloseTo(kld, 5);
    expect(fromPart.report().kld.mean.value).toBeLessThan(kld);
    expect(fromPart.report().kld.mean.value).toBeGreaterThan(kld / 2);
  });

  it("bears impossible tokens and ties", async () => {
    const path = fresh();
    const writer = await createReferenceWriter(path, {
      ...header,
      chunks: 1,
      positionsPerChunk: 1,
    });
    const logits = new Float32Array(30).fill(-Infinity);
    logits[7] = logits[9] = 2;
    await writer.add(logits, 3);
    await writer.finish();
    const [record] = await readAll(path);
    expect([...record!.ids]).toEqual([7, 9, 0, 1, 2]);
    expect(record!.logProbabilities[1]).toBeCloseTo(Math.log(0.5), 6);
    expect(record!.logProbabilities[2]).toBe(-Infinity);
    expect(record!.targetLogProbability).toBe(-Infinity);
    expect(record!.residual).toBe(0);
  });

  it("hashes tokens as 32 bits little-endian", () => {
    const bytes = Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, 0x2c, 1, 0, 0]);
    expect(hashTokens([1, 2, 300])).toBe(createHash("sha256").update(bytes).digest("hex"));
  });
});

describe("a reference writer", () => {
  it("leaves nothing under the name before it has finished", async () => {
    const path = fresh();
    const writer = await createReferenceWriter(path, header);
    await writer.add(logitsOf(30), 0);
    const missing = await failure(writer.finish(), "ERR_ARGUMENT");
    expect(missing.message).toContain("expected 14, got 1");
    expect(existsSync(path)).toBe(false);
    await writer.discard();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it("replaces no file unless it is asked to", async () => {
    const path = fresh();
    await write(path, header);
    await failure(createReferenceWriter(path, header), "ERR_ARGUMENT");
    const writer = await createReferenceWriter(path, header, { overwrite: true });
    await writer.discard();
    expect((await readAll(path)).length).toBe(14);
    const folderPath = fresh();
    mkdirSync(folderPath, { recursive: true });
    await failure(createReferenceWriter(folderPath, header, { overwrite: true }), "ERR_ARGUMENT");
  });

  it("does not replace a file that came meanwhile", async () => {
    const path = fresh();
    const writer = await createReferenceWriter(path, {
      ...header,
      chunks: 1,
      positionsPerChunk: 1,
    });
    await writer.add(logitsOf(30), 0);
    writeFileSync(path, "mine");
    await failure(writer.finish(), "ERR_ARGUMENT");
    await writer.discard();
    expect(readFileSync(path, "utf8")).toBe("mine");
    expect(readdirSync(dirname(path))).toEqual(["reference.bin"]);
  });

  it("refuses positions that are none", async () => {
    const path = fresh();
    const writer = await createReferenceWriter(path, {
      ...header,
      chunks: 1,
      positionsPerChunk: 1,
    });
    await failure(writer.add(logitsOf(29), 0), "ERR_ARGUMENT");
    await failure(writer.add(logitsOf(30), 30), "ERR_ARGUMENT");
    await failure(writer.add(logitsOf(30).fill(NaN), 0), "ERR_UNSUPPORTED");
    await writer.add(logitsOf(30), 0);
    await failure(writer.add(logitsOf(30), 0), "ERR_ARGUMENT");
    await writer.finish();
  });

  it.each<Partial<ReferenceHeader>>([
    { topK: 0 },
    { topK: 31 },
    { topK: 1.5 },
    { vocabularySize: 2 ** 24 + 1 },
    { chunks: 0 },
    { positionsPerChunk: 9 },
    { firstPosition: -1 },
    { tokensSha256: "00" },
    { model: "x".repeat(70_000) },
  ])("refuses a header with %j", async (changes) => {
    const path = fresh();
    await failure(createReferenceWriter(path, { ...header, ...changes }), "ERR_ARGUMENT");
    expect(existsSync(dirname(path))).toBe(false);
  });

  it("says where a disk refuses", async () => {
    const path = fresh();
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "a file");
    await failure(createReferenceWriter(`${path}/below`, header), "ERR_IO");
  });
});

describe("a damaged reference file", () => {
  const startOf = (bytes: Buffer): number => 68 + bytes.readUInt32LE(64);

  async function damage(change: (bytes: Buffer) => unknown): Promise<string> {
    const path = fresh();
    await write(path, header);
    const bytes = readFileSync(path);
    const changed = change(bytes);
    writeFileSync(path, changed instanceof Buffer ? changed : bytes);
    return path;
  }

  it("is found when it is opened, wherever it was cut", async () => {
    const path = await damage(() => undefined);
    const bytes = readFileSync(path);
    const cut = fresh();
    mkdirSync(dirname(cut), { recursive: true });
    for (let length = 0; length < bytes.length; length += length < 120 ? 1 : 53) {
      writeFileSync(cut, bytes.subarray(0, length));
      const error = await failure(openReference(cut), "ERR_FORMAT");
      expect(error.details).toMatchObject({ path: cut, field: expect.any(String) });
    }
    writeFileSync(cut, Buffer.concat([bytes, Buffer.alloc(1)]));
    await failure(openReference(cut), "ERR_FORMAT");
  });

  it.each<[string, string, number, (bytes: Buffer) => void]>([
    ["another magic", "magic", 0, (b) => b.write("GGUF")],
    ["a huge vocabulary", "vocabularySize", 8, (b) => b.writeUInt32LE(0xffffffff, 8)],
    ["no vocabulary", "vocabularySize", 8, (b) => b.writeUInt32LE(0, 8)],
    ["more tokens than there are", "topK", 12, (b) => b.writeUInt32LE(31, 12)],
    ["no chunk", "chunks", 20, (b) => b.writeUInt32LE(0, 20)],
    ["positions behind the end", "positionsPerChunk", 24, (b) => b.writeUInt32LE(9, 24)],
    ["a long JSON", "length of JSON", 64, (b) => b.writeUInt32LE(0xffffffff, 64)],
    ["a broken JSON", "JSON", 68, (b) => b.write("[", 68)],
  ])("with %s is refused before anything is read", async (_, field, offset, change) => {
    const path = await damage(change);
    const error = await failure(openReference(path), "ERR_FORMAT");
    expect(error.details).toMatchObject({ path, field, offset });
  });

  it("with counts whose product is beyond all numbers is refused", async () => {
    const path = await damage((bytes) => {
      for (const at of [8, 12]) bytes.writeUInt32LE(2 ** 24, at);
      for (const at of [16, 20, 24]) bytes.writeUInt32LE(2 ** 31, at);
      bytes.writeUInt32LE(0, 28);
    });
    await failure(openReference(path), "ERR_FORMAT");
  });

  it.each(["null", "3", "{}", '{"model":3}'])("with the JSON %s is refused", async (json) => {
    const path = await damage((bytes) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(json.length);
      const rest = bytes.subarray(startOf(bytes));
      return Buffer.concat([bytes.subarray(0, 64), length, Buffer.from(json), rest]);
    });
    const error = await failure(openReference(path), "ERR_FORMAT");
    expect(error.details).toMatchObject({ field: "JSON" });
  });

  it.each<[string, string, number, (bytes: Buffer, at: number) => void]>([
    ["a token out of range", "token", 8, (b, at) => b.writeUInt32LE(30, at + 8)],
    ["a token twice", "token", 0, (b, at) => b.copy(b, at + 8, at, at + 4)],
    ["rising probabilities", "log-probability", 12, (b, at) => b.writeFloatLE(-0.001, at + 12)],
    ["a probability above 1", "log-probability", 4, (b, at) => b.writeFloatLE(0.5, at + 4)],
    ["NaN", "log-probability", 4, (b, at) => b.writeFloatLE(NaN, at + 4)],
    ["a target out of range", "target", 40, (b, at) => b.writeUInt32LE(30, at + 40)],
    [
      "a target above 1",
      "log-probability of the target",
      44,
      (b, at) => b.writeFloatLE(1, at + 44),
    ],
    ["a rest that does not add up", "residual mass", 48, (b, at) => b.writeFloatLE(0.99, at + 48)],
    ["a rest below 0", "residual mass", 48, (b, at) => b.writeFloatLE(-1, at + 48)],
    ["a rest of NaN", "residual mass", 48, (b, at) => b.writeFloatLE(NaN, at + 48)],
  ])("with %s in a record says where", async (_, field, within, change) => {
    let at = 0;
    const path = await damage((bytes) => {
      at = startOf(bytes) + 3 * 52;
      change(bytes, at);
    });
    const reader = await openReference(path);
    await reader.read(2);
    const error = await failure(reader.read(3), "ERR_FORMAT");
    expect(error.details).toEqual({ path, field, offset: at + within });
    await reader.close();
  });

  it("that shrinks after it was opened says so", async () => {
    const path = await damage(() => undefined);
    const reader = await openReference(path);
    writeFileSync(path, readFileSync(path).subarray(0, 200));
    await failure(reader.read(13), "ERR_FORMAT");
    await reader.close();
  });

  it("or none at all, or a position out of range: a clear error", async () => {
    await failure(openReference(fresh()), "ERR_IO");
    const path = await damage(() => undefined);
    await failure(openReference(dirname(path)), "ERR_ARGUMENT");
    const reader = await openReference(path);
    for (const position of [-1, 14, 0.5]) await failure(reader.read(position), "ERR_ARGUMENT");
    await reader.close();
  });
});
