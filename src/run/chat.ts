import { argumentError } from "../errors.js";
import { chatTokens, findChatTemplate, renderChat, type ChatMessage } from "./chat-template.js";
import type { EngineContext, LoadedModel, RunOptions } from "./engine.js";
import { writeText } from "./generate.js";
import { modelValues } from "./model-values.js";
import { samplingSettings, type SamplingOptions } from "./sampling.js";
import { createStopFilter } from "./stop-strings.js";
import { atLeast } from "./windows.js";
import { openModel } from "./with-model.js";

export interface ChatOptions extends RunOptions, SamplingOptions {
  /** What the model is told before the conversation. */
  readonly system?: string | undefined;
  /** Name of a built-in chat template or a file with one; the model's own by default. */
  readonly template?: string | undefined;
  /** Tokens that the conversation may have; the model's context, at most 4096, by default. */
  readonly contextLength?: number | undefined;
  /** Tokens of an answer at most; as many as the context has room for by default. */
  readonly maxTokens?: number | undefined;
  readonly stop?: readonly string[] | undefined;
}

/** A conversation with a model that stays loaded. */
export interface Chat {
  readonly messages: readonly ChatMessage[];
  /**
   * Says something; gives the answer piece by piece. Whoever stops taking pieces ends the answer there. One at a time.
   *
   * @throws NibbleError ERR_ARGUMENT where the conversation is longer than the context, what the template throws;
   * `signal.reason` on abort. Then nothing was said.
   */
  readonly send: (text: string) => AsyncGenerator<string, void, undefined>;
  /** Begins anew. */
  readonly clear: () => void;
  readonly dispose: () => Promise<void>;
}

/** Conversations are short, and a cache for a long context takes gigabytes. */
const defaultContext = 4096;

/**
 * Loads a model for a conversation.
 *
 * @throws NibbleError ERR_UNSUPPORTED where the model has no chat template and none is chosen; as `generate`.
 */
export async function createChat(path: string, options: ChatOptions = {}): Promise<Chat> {
  samplingSettings(options);
  createStopFilter(options.stop ?? []);
  const maxTokens = atLeast("maxTokens", options.maxTokens ?? Number.MAX_SAFE_INTEGER, 1);
  const { info, model, dispose } = await openModel(path, options);
  try {
    const template = await findChatTemplate(info, options.template);
    const texts = chatTokens(info);
    const trained = modelValues(info).count("context_length") ?? Infinity;
    const wanted = options.contextLength ?? Math.min(defaultContext, trained);
    const contextLength = atLeast("contextLength", wanted, 1);
    if (contextLength > trained) {
      throw argumentError("contextLength", `at most ${trained}, the model's own`, contextLength);
    }
    const context = await model.createContext(contextLength);
    const system = options.system;
    const first: ChatMessage[] = system === undefined ? [] : [{ role: "system", content: system }];
    const render = (messages: readonly ChatMessage[]) =>
      renderChat(template, messages, { ...texts, signal: options.signal });
    const talk = new Conversation(model, context, contextLength, { ...options, maxTokens }, render);
    talk.messages = [...first];
    return {
      get messages() {
        return talk.messages;
      },
      send: (text) => talk.send(text),
      clear: () => {
        talk.messages = [...first];
      },
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

class Conversation {
  messages: ChatMessage[] = [];
  /** Tokens of the sequence, of which the context has read some. */
  #tokens: number[] = [];

  constructor(
    readonly model: LoadedModel,
    readonly context: EngineContext,
    readonly contextLength: number,
    readonly options: ChatOptions & { readonly maxTokens: number },
    readonly render: (messages: readonly ChatMessage[]) => Promise<string>,
  ) {}

  async *send(text: string): AsyncGenerator<string, void, undefined> {
    const asked = [...this.messages, { role: "user", content: text }];
    const tokens = this.#tokenize(await this.render(asked));
    const room = this.contextLength - tokens.length;
    if (room < 1) {
      const expected = `a conversation of fewer than ${this.contextLength} tokens, or a longer context`;
      throw argumentError("contextLength", expected, `one of ${tokens.length}`);
    }
    const unread = await this.#rewind(tokens);
    const maxTokens = Math.min(room, this.options.maxTokens);
    const options = { ...this.options, maxTokens };
    let answer = "";
    let failed = false;
    const { model, context } = this;
    const keep = (token: number) => this.#tokens.push(token);
    try {
      for await (const piece of writeText(model, context, unread, tokens, options, keep)) {
        answer += piece;
        yield piece;
      }
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      // Also where the caller takes no more pieces.
      if (!failed) this.messages = [...asked, { role: "assistant", content: answer }];
    }
  }

  /** Templates write BOS themselves; where one does not, the model may still want it. */
  #tokenize(text: string): number[] {
    const { bos, addsBos, tokenize } = this.model;
    const tokens = tokenize(text, true);
    if (addsBos && bos !== undefined && tokens[0] !== bos) tokens.unshift(bos);
    return tokens;
  }

  /** What is left to read of `tokens`: all behind what they have in common with what the context has read. */
  async #rewind(tokens: readonly number[]): Promise<readonly number[]> {
    const read = this.#tokens.slice(0, this.context.length());
    this.#tokens = [...tokens];
    let common = 0;
    // The last one is read in any case: the first token of the answer comes behind it.
    while (common < tokens.length - 1 && read[common] === tokens[common]) common += 1;
    await this.context.truncate(common);
    return tokens.slice(common);
  }
}
