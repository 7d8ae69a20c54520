import { describe, expect, it, test } from "vitest";
import { outputOf } from "../../src/commands/output-name.js";
import { generalMetadata } from "../../src/sources/hf-general.js";
import { JsonFile } from "../../src/sources/json-file.js";
import { parseModelCard } from "../../src/sources/model-card.js";
import { parseModelId, titleOf } from "../../src/sources/model-id.js";
import type { MetadataEntry, ModelInfo } from "../../src/sources/model-info.js";
import { sizeOf } from "../../src/sources/size-label.js";

// What gguf-py 0.19.0 makes of these names.
test.each([
  [
    "mistralai/Mistral-7B-Instruct-v0.3",
    7e9,
    "Mistral 7B Instruct v0.3",
    "Mistral|7B|Instruct|v0.3",
  ],
  ["meta-llama/Llama-3.2-1B-Instruct", 1.2e9, "Llama 3.2 1B Instruct", "Llama-3.2|1B|Instruct|"],
  ["Qwen/Qwen1.5-MoE-A2.7B-Chat", 14e9, "Qwen1.5 MoE A2.7B Chat", "Qwen1.5-MoE|A2.7B|Chat|"],
  [
    "a/Mixtral-8x7B-Instruct-v0.1",
    46e9,
    "Mixtral 8x7B Instruct v0.1",
    "Mixtral|8x7B|Instruct|v0.1",
  ],
  ["a/Phi-3-mini-128k-instruct", 3.8e9, "Phi 3 Mini 128k Instruct", "Phi-3|mini|128k-instruct|"],
  ["bigscience/bloom-7b1-petals", 7e9, "Bloom 7b1 Petals", "bloom|7.1B|petals|"],
  ["stabilityai/stablelm-2-1_6b", 1.6e9, "Stablelm 2 1_6b", "stablelm-2|1.6B||"],
  ["gpt2", 0, "Gpt2", "|||"],
  ["my-model", 0, "My Model", "|||"],
  ["a/pythia-70m-deduped", 7e7, "Pythia 70m Deduped", "pythia|70M|deduped|"],
  [
    "Qwen3-30B-A3B-Instruct-2507",
    3e10,
    "Qwen3 30B A3B Instruct 2507",
    "Qwen3|30B-A3B|Instruct|2507",
  ],
  ["google/gemma-2-9b-it", 9e9, "Gemma 2 9b It", "gemma-2|9B|it|"],
  ["a model with words", 0, "A Model With Words", "|||"],
  ["./models", 0, "Models", "|||"],
  ["a/OLMo-2-1124-7B-Instruct", 7e9, "OLMo 2 1124 7B Instruct", "OLMo-2-1124|7B|Instruct|"],
  ["Llama-3-70B-bf16", 7e10, "Llama 3 70B Bf16", "Llama-3|70B||"],
  ["gpt2-large", 7e8, "Gpt2 Large", "gpt2|large||"],
  ["-odd--name-", 0, "Odd Name", "|||"],
  ["phi-4", 14e9, "Phi 4", "phi|||4"],
  ["X-v1.5-iter2-3B", 3e9, "X v1.5 Iter2 3B", "X-v1.5-iter2|3B||"],
  ["ruGPT-3.5-13B", 13e9, "ruGPT 3.5 13B", "ruGPT-3.5|13B||"],
  ["Llama-3.1-8B-Instruct-4bit", 8e9, "Llama 3.1 8B Instruct 4bit", "Llama-3.1|8B|Instruct-4bit|"],
])("%s of %f parameters", (id, parameters, title, parts) => {
  const { name, basename, sizeLabel, finetune, version } = parseModelId(id, parameters);
  expect(titleOf(name)).toBe(title);
  expect([basename, sizeLabel, finetune, version].join("|")).toBe(parts);
});

test.each([
  [999, "1.0K"],
  [1000, "1.0K"],
  [12500, "12K"],
  [1250000, "1.2M"],
  [1000000, "1000K"],
  [1000001, "1.0M"],
  [8030261248, "8.0B"],
  [134515008, "135M"],
  [70553706496, "71B"],
  [12500000, "12M"],
  [13500000, "14M"],
  [2250000000, "2.2B"],
  [1.1e12, "1.1T"],
])("%i values are %s", (count, label) => {
  const tensor = { name: "a.weight", type: "F32", shape: [count], bytes: 0, pieces: [] } as const;
  expect(sizeOf([tensor])).toEqual({ parameters: count, label });
});

describe("a model card", () => {
  it("is read as far as cards go", () => {
    const card = parseModelCard(
      [
        "---",
        "# a comment",
        "license: apache-2.0 # behind",
        "license_name: 'it''s ''mine'''",
        'license_link: "https://example.org/#terms"',
        "language:",
        "- en",
        "- no",
        "  # between",
        '- "zh"',
        "tags: [chat, 'two words', \"a, b\"]",
        "datasets:",
        "  - owner/data-v2",
        "  - name: a map",
        "    type: left out",
        "model-index:",
        "  - name: x",
        "    results: []",
        "extra_gated_prompt: >-",
        "  First line",
        "  license: none",
        "",
        "  last: line",
        "widget:",
        "  text: left out",
        "description: goes",
        "  on here",
        "empty:",
        "nothing: null",
        "map: {a: b}",
        "license: the second does not count",
        "---",
        "license: text",
      ].join("\r\n"),
    );
    expect(Object.fromEntries(card)).toEqual({
      license: "apache-2.0",
      license_name: "it's 'mine'",
      license_link: "https://example.org/#terms",
      language: ["en", "no", "zh"],
      tags: ["chat", "two words", "a, b"],
      datasets: ["owner/data-v2"],
      "model-index": [],
      extra_gated_prompt: "First line license: none  last: line",
      description: "goes on here",
    });
  });

  it.each([
    ["", "nothing"],
    ["text", "no front matter"],
    ["---\nlicense: mit", "no end"],
    ["\n---\nlicense: mit\n---", "not at the start"],
    ["---\n: : :\n\t- x\n}{\n---", "no YAML"],
  ])("%j is %s", (readme) => {
    expect(parseModelCard(readme).size).toBe(0);
  });
});

const plain = (entries: readonly MetadataEntry[]) =>
  entries.map(({ key, value }) => [key.replace("general.", ""), value]);

function general(readme: string, config: object = {}, generation?: object) {
  return generalMetadata({
    architecture: "llama",
    directory: "Some-7B-v2",
    config: new JsonFile("config.json", { ...config }),
    generation: generation && new JsonFile("generation_config.json", { ...generation }),
    card: parseModelCard(readme),
    tensors: [{ name: "a", type: "F32", shape: [7, 1e9], bytes: 0, pieces: [] }],
  });
}

describe("general metadata", () => {
  it("come from the directory's name", () => {
    expect(plain(general(""))).toEqual([
      ["architecture", "llama"],
      ["type", "model"],
      ["name", "Some 7B v2"],
      ["version", "v2"],
      ["basename", "Some"],
      ["size_label", "7B"],
    ]);
  });

  it("come from config.json's name first, and from the card before that", () => {
    const config = { _name_or_path: "the-owner/Other-6.9B-chat" };
    const card = "---\nmodel_name: Its Name\nmodel_creator: someone\n---";
    expect(plain(general(card, config)).slice(2)).toEqual([
      ["name", "Its Name"],
      ["author", "someone"],
      ["version", "v2"],
      ["organization", "The Owner"],
      ["finetune", "chat"],
      ["basename", "Other"],
      ["size_label", "6.9B"],
    ]);
    for (const path of ["", "/models/all/a-1B", "a/b/c-1B", 3]) {
      expect(plain(general("", { _name_or_path: path }))).toContainEqual(["name", "Some 7B v2"]);
    }
  });

  it("name what the model is made of", () => {
    const card = [
      "---",
      "base_model:",
      "- owner/base-model-7B-v1",
      "- https://huggingface.co/owner/other",
      "- https://example.org/a/b",
      "datasets: just-data",
      "license: [mit, other]",
      "pipeline_tag: text-generation",
      "tags: [a]",
      "---",
    ].join("\n");
    expect(plain(general(card)).slice(6)).toEqual([
      ["license", "mit,other"],
      ["base_model.count", 3],
      ["base_model.0.name", "Base Model 7B v1"],
      ["base_model.0.version", "v1"],
      ["base_model.0.organization", "Owner"],
      ["base_model.0.repo_url", "https://huggingface.co/owner/base-model-7B-v1"],
      ["base_model.1.name", "Other"],
      ["base_model.1.organization", "Owner"],
      ["base_model.1.repo_url", "https://huggingface.co/owner/other"],
      ["base_model.2.repo_url", "https://example.org/a/b"],
      ["dataset.count", 1],
      ["dataset.0.name", "Just Data"],
      ["tags", ["a", "text-generation"]],
    ]);
  });

  it("hold advice for sampling, as far as it is of the right kind", () => {
    const generation = { temperature: 0.5, top_k: 20, top_p: null, min_p: "0.1", mirostat: 1.5 };
    expect(general("", {}, generation).slice(2, 4)).toEqual([
      { key: "general.sampling.top_k", type: "i32", value: 20 },
      { key: "general.sampling.temp", type: "f32", value: 0.5 },
    ]);
  });
});

test.each([
  [{ basename: "Qwen3", size_label: "0.6B" }, "Qwen3-0.6B-Q4_0.gguf"],
  [
    { name: "N", basename: "Llama-3.2", size_label: "1B", finetune: "Instruct", version: "v2" },
    "Llama-3.2-1B-Instruct-v2-Q4_0.gguf",
  ],
  [{ name: "My Model", size_label: "31K" }, "My-Model-31K-Q4_0.gguf"],
  [{ name: "../../etc/pass wd\n" }, "etc-pass-wd-Q4_0.gguf"],
  [{}, "model-Q4_0.gguf"],
  [{ name: "x".repeat(500) }, `${"x".repeat(120)}-Q4_0.gguf`],
])("the output of a directory with %j is %s", (general, output) => {
  const metadata = Object.entries(general).map(([key, value]) => ({
    key: `general.${key}`,
    type: "string" as const,
    value,
  }));
  const source: ModelInfo = { path: "hf", container: "hf", metadata, tensors: [], files: [] };
  expect(outputOf(source, "Q4_0")).toBe(output);
  expect(outputOf({ ...source, path: "a-F16.gguf", container: "gguf" }, "Q4_0")).toBe(
    "a-Q4_0.gguf",
  );
});
