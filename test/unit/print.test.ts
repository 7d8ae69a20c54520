import { describe, expect, test } from "vitest";
import {
  formatBytes,
  formatDuration,
  formatNumber,
  formatRate,
  formatTable,
  printable,
  toJson,
} from "../../src/commands/print.js";
import { defaultOutput } from "../../src/commands/output-name.js";

describe("formatTable", () => {
  const head = ["tensor", "bytes"];

  test("is a Markdown table with aligned columns", () => {
    const table = formatTable(head, [["a.weight", "12"]], { align: ["left", "right"] });
    expect(table.split("\n")).toEqual([
      "| tensor   | bytes |",
      "| -------- | ----: |",
      "| a.weight |    12 |",
    ]);
  });

  test("cuts the widest text column, never a number, to fit 80 columns", () => {
    const long = "x".repeat(200);
    const rows = [[long, "1234567890123", "why it is so, in many words that do not fit anywhere"]];
    const table = formatTable(["name", "bytes", "reason"], rows, {
      align: ["left", "right", "left"],
      width: 80,
    });
    for (const line of table.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(table).toContain("1234567890123");
    expect(table).toContain("…");
  });

  test("ends with the smallest width that leaves something to read", () => {
    const table = formatTable(head, [["x".repeat(100), "12345"]], {
      align: ["left", "right"],
      width: 5,
    });
    expect(table.split("\n")[2]).toBe("| xxxxxxx… | 12345 |");
  });

  test("has no limit by default", () => {
    const name = "x".repeat(300);
    expect(formatTable(head, [[name, "1"]])).toContain(name);
  });

  test("fills up short rows, and shows a table without rows", () => {
    expect(formatTable(head, [["a"]])).toContain("| a      |       |");
    expect(formatTable(head, []).split("\n")).toHaveLength(2);
  });

  test("lets no control character through", () => {
    const table = formatTable(["name"], [["\u001b[31mred\nline\u202e\u0007"]]);
    expect(table.split("\n")).toHaveLength(3);
    expect(table).toContain("\\u001b[31mred\\nline\\u202e\\u0007");
  });
});

test("printable leaves ordinary text of any script alone", () => {
  expect(printable("blk.0.weight ▁の Ġ é 🦙")).toBe("blk.0.weight ▁の Ġ é 🦙");
});

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.00 KiB"],
  [5_140_288, "4.90 MiB"],
  [1024 ** 3 - 1, "1.00 GiB"],
  [70e9, "65.19 GiB"],
  [5e15, "4547.47 TiB"],
])("formatBytes(%d) is %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0, "0 ms"],
  [0.0354, "35 ms"],
  [0.9999, "1.0 s"],
  [12.34, "12.3 s"],
  [59.97, "1 min 00 s"],
  [185, "3 min 05 s"],
  [3599.8, "1 h 00 min"],
  [7800, "2 h 10 min"],
])("formatDuration(%d) is %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

test.each([
  [8_392_960, 0, "8,392,960"],
  [999, 0, "999"],
  [1234.5678, 2, "1,234.57"],
  [-1234, 0, "-1,234"],
  [0.1234, 3, "0.123"],
  [NaN, 2, "NaN"],
])("formatNumber(%d, %d) is %s", (value, decimals, text) =>
  expect(formatNumber(value, decimals)).toBe(text),
);

test("formatRate takes the disks' decimal units", () => {
  expect(formatRate(1.42e9)).toBe("1.42 GB/s");
  expect(formatRate(250e6)).toBe("250.0 MB/s");
});

test("toJson makes numbers of bigints where they are exact", () => {
  expect(toJson({ a: 12n, b: 2n ** 63n })).toBe('{"a":12,"b":"9223372036854775808"}');
});

test.each([
  ["models/my-model", "Q4_0", "my-model-Q4_0.gguf"],
  ["models/my-model/", "F16", "my-model-F16.gguf"],
  ["a/llama-F16.gguf", "Q8_0", "llama-Q8_0.gguf"],
  ["llama.bf16.GGUF", "Q8_0", "llama-Q8_0.gguf"],
  ["big-00001-of-00003.gguf", "Q6_K", "big-Q6_K.gguf"],
  ["v1.5-7b.gguf", "Q4_1", "v1.5-7b-Q4_1.gguf"],
  ["/", "Q4_1", "model-Q4_1.gguf"],
])("the output of %s as %s is %s", (model, recipe, output) =>
  expect(defaultOutput(model, recipe)).toBe(output),
);
