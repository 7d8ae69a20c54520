import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isNibbleError, type NibbleError, type NibbleErrorCode } from "../../src/errors.js";
import { chatTemplates, type ChatTemplateName } from "../../src/run/chat-template-table.js";
import {
  chatTokens,
  findChatTemplate,
  renderChat,
  type ChatMessage,
  type RenderChatOptions,
} from "../../src/run/chat-template.js";
import type { MetadataEntry, ModelInfo } from "../../src/sources/model-info.js";
import { openSource } from "../../src/sources/open.js";
import { describeShared, sharedData } from "../helpers/shared-data.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();

const system: ChatMessage = { role: "system", content: "Be brief." };
const user: ChatMessage = { role: "user", content: "Hello!" };
const assistant: ChatMessage = { role: "assistant", content: "Hi." };
const again: ChatMessage = { role: "user", content: "2 + 2?" };
const tokens = { bosToken: "<s>", eosToken: "</s>" };

const render = (text: string, messages: readonly ChatMessage[], options: RenderChatOptions = {}) =>
  renderChat({ text, path: "model.gguf" }, messages, { ...tokens, ...options });

function modelWith(metadata: readonly MetadataEntry[]): ModelInfo {
  return { path: "model.gguf", container: "gguf", metadata, tensors: [], files: [] };
}

async function failure(work: Promise<unknown>, code: NibbleErrorCode): Promise<NibbleError> {
  const error: unknown = await work.then(
    (value) => value,
    (thrown: unknown) => thrown,
  );
  expect(error).toSatisfy((thrown) => isNibbleError(thrown, code));
  return error as NibbleError;
}

/** As the models' makers publish them. */
const published = {
  zephyr:
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n" +
    "{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n" +
    "{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n" +
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
  qwen2:
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}" +
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}" +
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
  llama3:
    "{% set loop_messages = messages %}{% for message in loop_messages %}" +
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}" +
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
  mistral:
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}" +
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}" +
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}" +
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}" +
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
};

describe("chat templates of models", () => {
  it.each<[keyof typeof published, ChatMessage[], string]>([
    ["zephyr", [system, user], "<|system|>\nBe brief.</s>\n<|user|>\nHello!</s>\n<|assistant|>\n"],
    [
      "qwen2",
      [user, assistant, again],
      "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHello!<|im_end|>\n" +
        "<|im_start|>assistant\nHi.<|im_end|>\n<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n",
    ],
    [
      "llama3",
      [system, { role: "user", content: "  Hello! \n" }],
      "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>" +
        "<|start_header_id|>user<|end_header_id|>\n\nHello!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    ],
    ["mistral", [user, assistant, again], "<s>[INST] Hello! [/INST]Hi.</s> [INST] 2 + 2? [/INST]"],
  ])("%s", async (name, messages, expected) => {
    expect(await render(published[name], messages)).toBe(expected);
  });

  it("that refuse a conversation say why", async () => {
    const error = await failure(render(published.mistral, [system, user]), "ERR_UNSUPPORTED");
    expect(error.message).toContain("model.gguf: ");
    expect(error.message).toContain("Conversation roles must alternate");
  });

  it("know the variables that they may expect", async () => {
    const text =
      "{{ tools is none }} {{ add_generation_prompt }} {{ bos_token }}{{ eos_token }} {{ strftime_now('%Y') }}";
    expect(await render(text, [], { addGenerationPrompt: false })).toBe(
      `true false <s></s> ${new Date().getFullYear()}`,
    );
    expect(await renderChat({ text: "[{{ bos_token }}]", path: "x" }, [])).toBe("[]");
  });

  it("keep any text of the messages as it is", async () => {
    const content = "{{ 7 * 7 }} {% endfor %} \u2028 \ud83d\ude00 \u00e4 \\n \"'`${x}</s>";
    expect(await render("{{ messages[0].content }}", [{ role: "user", content }])).toBe(content);
  });
});

describeShared("the chat template of a GGUF", () => {
  it("is found and rendered", async () => {
    const info = await openSource(sharedData("vocab/ggml-vocab-phi-3.gguf"));
    const template = await findChatTemplate(info);
    const found = chatTokens(info);
    expect(found).toEqual({ bosToken: "<s>", eosToken: "<|endoftext|>" });
    expect(await renderChat(template, [user, assistant, again], found)).toBe(
      "<s><|user|>\nHello!<|end|>\n<|assistant|>\nHi.<|end|>\n<|user|>\n2 + 2?<|end|>\n<|assistant|>\n",
    );
  });
});

describe("built-in chat templates", () => {
  const conversation = [system, user, assistant, again];

  it.each<[ChatTemplateName, ChatMessage[], boolean, string]>([
    [
      "chatml",
      conversation,
      true,
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello!<|im_end|>\n" +
        "<|im_start|>assistant\nHi.<|im_end|>\n<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n",
    ],
    ["chatml", [user], false, "<|im_start|>user\nHello!<|im_end|>\n"],
    [
      "llama3",
      conversation,
      true,
      "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>" +
        "<|start_header_id|>user<|end_header_id|>\n\nHello!<|eot_id|>" +
        "<|start_header_id|>assistant<|end_header_id|>\n\nHi.<|eot_id|>" +
        "<|start_header_id|>user<|end_header_id|>\n\n2 + 2?<|eot_id|>" +
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ],
    ["llama3", [user], false, "<s><|start_header_id|>user<|end_header_id|>\n\nHello!<|eot_id|>"],
    [
      "gemma",
      conversation,
      true,
      "<s><start_of_turn>user\nBe brief.\n\nHello!<end_of_turn>\n<start_of_turn>model\nHi.<end_of_turn>\n" +
        "<start_of_turn>user\n2 + 2?<end_of_turn>\n<start_of_turn>model\n",
    ],
    ["gemma", [user], false, "<s><start_of_turn>user\nHello!<end_of_turn>\n"],
    [
      "mistral",
      conversation,
      true,
      "<s>[INST] Be brief.\n\nHello![/INST] Hi.</s>[INST] 2 + 2?[/INST]",
    ],
    ["mistral", [user], false, "<s>[INST] Hello![/INST]"],
  ])("%s of %j, prompt: %j", async (name, messages, addGenerationPrompt, expected) => {
    const template = await findChatTemplate(modelWith([]), name);
    expect(template).toEqual({ text: chatTemplates[name], path: name });
    const options = { ...tokens, addGenerationPrompt };
    expect(await renderChat(template, messages, options)).toBe(expected);
  });
});

describe("choosing a chat template", () => {
  const own = modelWith([{ key: "tokenizer.chat_template", type: "string", value: "own" }]);

  it("takes a name, a file, or the model's own", async () => {
    const path = file("mine.jinja");
    writeFileSync(path, "{{ messages }}");
    expect(await findChatTemplate(own)).toEqual({ text: "own", path: "model.gguf" });
    expect((await findChatTemplate(own, "chatml")).text).toBe(chatTemplates.chatml);
    expect(await findChatTemplate(own, path)).toEqual({ text: "{{ messages }}", path });
  });

  it("says what to do where the model has none", async () => {
    const error = await failure(findChatTemplate(modelWith([])), "ERR_UNSUPPORTED");
    expect(error.message).toContain("--chat-template: chatml, llama3, gemma, mistral or a file");
  });

  it("refuses what is neither a name nor a template", async () => {
    await failure(findChatTemplate(own, "chatmll"), "ERR_ARGUMENT");
    await failure(findChatTemplate(own, "constructor"), "ERR_ARGUMENT");
    await failure(findChatTemplate(own, file(".")), "ERR_ARGUMENT");
    const large = file("large.jinja");
    writeFileSync(large, Buffer.alloc(2 ** 20 + 1));
    await failure(findChatTemplate(own, large), "ERR_FORMAT");
  });

  it("finds the texts of BOS and EOS, or none", () => {
    const vocabulary: MetadataEntry = {
      key: "tokenizer.ggml.tokens",
      type: "array",
      elementType: "string",
      value: ["<a>", "<b>"],
    };
    const bos: MetadataEntry = { key: "tokenizer.ggml.bos_token_id", type: "u32", value: 1 };
    const eos: MetadataEntry = { key: "tokenizer.ggml.eos_token_id", type: "u32", value: 7 };
    expect(chatTokens(modelWith([vocabulary, bos, eos]))).toEqual({
      bosToken: "<b>",
      eosToken: "",
    });
    expect(chatTokens(modelWith([bos]))).toEqual({ bosToken: "", eosToken: "" });
  });
});

describe("a hostile chat template", () => {
  it.each([
    ["is not closed", "{% for m in messages %}"],
    ["has no expression", "{{ }}"],
    ["nests endlessly", `{{ ${"(".repeat(100_000)}1${")".repeat(100_000)} }}`],
  ])("that %s is no template", async (_, text) => {
    const error = await failure(render(text, [user]), "ERR_FORMAT");
    expect(error.details).toEqual({ path: "model.gguf", field: "chat template" });
  });

  it.each([
    ["uses a filter that nobody has", "{{ messages | sing }}"],
    ["calls what is no function", "{{ messages() }}"],
    ["reaches for JavaScript", "{{ range.constructor('return process')() }}"],
    ["makes a string beyond all bounds", "{{ 'x' | indent(2000000000) }}"],
  ])("that %s is stopped", async (_, text) => {
    await failure(render(text, [user]), "ERR_UNSUPPORTED");
  });

  it.each([
    ["counts to a million millions", "{% for i in range(1000000000000) %}x{% endfor %}"],
    [
      "doubles a list",
      "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    ],
    [
      // A worker thread's heap limit does not catch this one: it ends the whole process.
      "doubles a text",
      "{% set n = namespace(x='ab') %}{% for i in range(27) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x | upper }}",
    ],
  ])("that %s runs out of memory, and we do not", async (_, text) => {
    const error = await failure(render(text, [user]), "ERR_FORMAT");
    expect(error.message).toContain("128 MiB of memory");
  });

  it("that makes a long text is stopped", async () => {
    const text =
      "{% set n = namespace(x='ab') %}{% for i in range(23) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}";
    const error = await failure(render(text, [user]), "ERR_FORMAT");
    expect(error.message).toContain("16 MiB of text");
  });

  it("that does not end is ended", async () => {
    const text =
      "{% for i in range(99999) %}{% for j in range(99999) %}{% set x = 1 %}{% endfor %}{% endfor %}";
    const began = performance.now();
    const error = await failure(render(text, [user], { timeLimitSeconds: 0.8 }), "ERR_FORMAT");
    expect(error.message).toContain("does not end within 0.8 seconds");
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it("that does not end can be interrupted", async () => {
    const text =
      "{% for i in range(99999) %}{% for j in range(99999) %}{% set x = 1 %}{% endfor %}{% endfor %}";
    const reason = { mine: true };
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 200);
    const { signal } = controller;
    await expect(render(text, [user], { signal })).rejects.toBe(reason);
    await expect(render("x", [user], { signal })).rejects.toBe(reason);
  });
});
