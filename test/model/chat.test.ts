import { readFileSync, writeFileSync } from "node:fs";
import { Readable } from "node:stream";
import { beforeAll, describe, expect, it } from "vitest";
import { quantize } from "../../src/quantize/quantize.js";
import { chatTokens, findChatTemplate, renderChat } from "../../src/run/chat-template.js";
import { createChat, type Chat, type ChatOptions } from "../../src/run/chat.js";
import { engineNames } from "../../src/run/engine.js";
import { generate } from "../../src/run/generate.js";
import { openSource } from "../../src/sources/open.js";
import { embeddedModel, wholeText } from "../helpers/embedded-model.js";
import { runCli, type CliResult } from "../helpers/run-cli.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const file = temporaryFolder();
const model = file("nibble-8m-F16.gguf");
beforeAll(() => quantize(embeddedModel, { recipe: "F16", output: model }));

// One thread: those of llama.cpp wait for each other busily, and share the cores with other tests.
const settings = { template: "chatml", temperature: 0, maxTokens: 12, threads: 1 } as const;

/** The body with a chat that is disposed of. */
async function withChat(options: ChatOptions, body: (chat: Chat) => Promise<void>): Promise<void> {
  const chat = await createChat(model, { ...settings, ...options });
  try {
    await body(chat);
  } finally {
    await chat.dispose();
  }
}

/** What the model writes after the conversation where nothing of it was read before. */
async function afresh(chat: Chat, question: string, options: ChatOptions = {}): Promise<string> {
  const info = await openSource(model);
  const template = await findChatTemplate(info, settings.template);
  const messages = [...chat.messages, { role: "user", content: question }];
  const text = await renderChat(template, messages, chatTokens(info));
  return wholeText(generate(model, text, { ...settings, ...options }));
}

describe.each(engineNames)("a chat on %s", (engine) => {
  it("answers each turn as if it had read the whole conversation at once", async () => {
    await withChat({ engine, system: "You tell stories." }, async (chat) => {
      for (const question of ["Who are you?", "Where is the castle?", "Why?"]) {
        const expected = await afresh(chat, question, { engine });
        expect(await wholeText(chat.send(question))).toBe(expected);
      }
      const roles = chat.messages.map(({ role }) => role);
      expect(roles).toEqual(["system", ...Array<string[]>(3).fill(["user", "assistant"]).flat()]);
      expect(chat.messages.every(({ content }) => content !== "")).toBe(true);
    });
  });

  it("goes on behind an answer that was broken off", async () => {
    await withChat({ engine }, async (chat) => {
      const pieces: string[] = [];
      for await (const piece of chat.send("Who are you?")) {
        pieces.push(piece);
        if (pieces.length === 3) break;
      }
      expect(chat.messages.at(-1)).toEqual({ role: "assistant", content: pieces.join("") });
      const expected = await afresh(chat, "Go on.", { engine });
      expect(await wholeText(chat.send("Go on."))).toBe(expected);
    });
  });

  it("begins anew after clear", async () => {
    await withChat({ engine, system: "Be brief." }, async (chat) => {
      const first = await wholeText(chat.send("Who are you?"));
      await wholeText(chat.send("And now?"));
      chat.clear();
      expect(chat.messages).toEqual([{ role: "system", content: "Be brief." }]);
      expect(await wholeText(chat.send("Who are you?"))).toBe(first);
    });
  });
});

describe("a chat", () => {
  it("is the same with the same seed", async () => {
    const talk = async (seed: number): Promise<Chat["messages"]> => {
      let messages: Chat["messages"] = [];
      await withChat({ seed, temperature: 1 }, async (chat) => {
        for (const question of ["Hello.", "Who are you?"]) await wholeText(chat.send(question));
        messages = chat.messages;
      });
      return messages;
    };
    const first = await talk(1);
    expect(await talk(1)).toEqual(first);
    expect(await talk(2)).not.toEqual(first);
  });

  it("refuses a turn that the context has no room for, and goes on without it", async () => {
    await withChat({ contextLength: 60 }, async (chat) => {
      const first = await wholeText(chat.send("Hello."));
      const before = chat.messages;
      const failed = wholeText(chat.send("word ".repeat(60)));
      await expect(failed).rejects.toMatchObject({
        code: "ERR_ARGUMENT",
        details: { option: "contextLength" },
      });
      expect(chat.messages).toEqual(before);
      chat.clear();
      expect(await wholeText(chat.send("Hello."))).toBe(first);
    });
  });

  it("fills the context where an answer has no other end", async () => {
    await withChat({ contextLength: 64, maxTokens: undefined }, async (chat) => {
      const answer = await wholeText(chat.send("Hello."));
      expect(answer.length).toBeGreaterThan(60);
      await expect(wholeText(chat.send("Hello."))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    });
  });

  it("ends an answer at a stop string", async () => {
    let whole = "";
    await withChat({}, async (chat) => void (whole = await wholeText(chat.send("Hello."))));
    const stop = whole.slice(8, 11);
    await withChat({ stop: [stop] }, async (chat) => {
      expect(await wholeText(chat.send("Hello."))).toBe(whole.slice(0, whole.indexOf(stop)));
      const expected = await afresh(chat, "And?", { stop: [stop] });
      expect(await wholeText(chat.send("And?"))).toBe(
        expected.includes(stop) ? expected.slice(0, expected.indexOf(stop)) : expected,
      );
    });
  });

  it("has said nothing where the signal aborts an answer", async () => {
    const stop = new AbortController();
    await withChat({ signal: stop.signal }, async (chat) => {
      const reason = new Error("enough");
      const read = async () => {
        for await (const piece of chat.send("Hello.")) if (piece !== "") stop.abort(reason);
      };
      await expect(read()).rejects.toBe(reason);
      expect(chat.messages).toEqual([]);
    });
  });

  it("takes a template from a file", async () => {
    const path = file("plain.jinja");
    writeFileSync(path, "{% for m in messages %}{{ m.content }}{% endfor %}");
    const plain = generate(model, "It was a bright", { temperature: 0, maxTokens: 12 });
    const expected = await wholeText(plain);
    await withChat({ template: path }, async (chat) => {
      expect(await wholeText(chat.send("It was a bright"))).toBe(expected);
    });
  });

  it("needs a template, and names the option", async () => {
    await expect(createChat(model)).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringMatching(/--chat-template: chatml, .* or a file/) as string,
    });
  });

  it.each<readonly [string, ChatOptions]>([
    ["chatTemplate", { template: "nonsense" }],
    ["contextLength", { contextLength: 0 }],
    ["contextLength", { contextLength: 513 }],
    ["maxTokens", { maxTokens: 0 }],
    ["topP", { topP: 2 }],
    ["stop", { stop: [""] }],
  ])("refuses a wrong %s: %o", async (option, options) => {
    const failed = createChat(model, { ...settings, ...options });
    await expect(failed).rejects.toMatchObject({ code: "ERR_ARGUMENT", details: { option } });
  });
});

describe("nibble chat", () => {
  const args = ["chat", model, "--chat-template", "chatml", "--temp", "0", "-n", "12"];

  async function piped(lines: string, ...more: string[]): Promise<CliResult> {
    const stdin = Object.getOwnPropertyDescriptor(process, "stdin") ?? {};
    Object.defineProperty(process, "stdin", { value: Readable.from([lines]), configurable: true });
    try {
      return await runCli(...args, ...more);
    } finally {
      Object.defineProperty(process, "stdin", stdin);
    }
  }

  async function answers(...questions: string[]): Promise<readonly string[]> {
    const all: string[] = [];
    await withChat({}, async (chat) => {
      for (const question of questions) all.push(await wholeText(chat.send(question)));
    });
    return all;
  }

  it("answers a line each", async () => {
    const { stdout, stderr, status } = await piped("Hello.\n\nWho are you?\n");
    expect([stderr, status]).toEqual(["", 0]);
    const [first, second] = await answers("Hello.", "Who are you?");
    expect(stdout).toBe(`${first}\n${second}\n`);
  });

  it("forgets at /clear", async () => {
    const { stdout } = await piped("Hello.\n/clear\nHello.\n");
    const [first] = await answers("Hello.");
    expect(stdout).toBe(`${first}\n${first}\n`);
  });

  it("prints the conversation alone with --json", async () => {
    const { stdout, stderr } = await piped(
      "Hello.\nWho are you?",
      "--json",
      "--system",
      "Be kind.",
    );
    expect(stderr).toBe("");
    const { messages } = JSON.parse(stdout) as { messages: Chat["messages"] };
    const roles = messages.map(({ role }) => role);
    expect(roles).toEqual(["system", "user", "assistant", "user", "assistant"]);
    expect(messages[3]?.content).toBe("Who are you?");
    const cleared = await piped("Hello.\n/clear\n", "--json");
    expect(JSON.parse(cleared.stdout)).toEqual({ messages: [] });
  });

  it("says what is wrong, and with which status", async () => {
    const long = await piped("word ".repeat(80), "-c", "40");
    expect(long).toMatchObject({ status: 2 });
    expect(long.stderr).toMatch(/^nibble: .*fewer than 40 tokens.*\n$/);
    const none = await runCli("chat", model);
    expect(none).toMatchObject({ status: 3, stdout: "" });
    expect(none.stderr).toMatch(/--chat-template/);
  });

  it("is not the model's own template that was tested here", () => {
    const config = readFileSync(`${embeddedModel}tokenizer_config.json`, "utf8");
    expect(config).not.toContain("chat_template");
  });
});
