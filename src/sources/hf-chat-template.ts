import type { NamedTemplate, TokenizerFiles } from "./hf-tokenizer-files.js";
import { isObject } from "./json-file.js";
import type { MetadataEntry } from "./model-info.js";

/**
 * Chat templates, which are text that is carried over and never run. tokenizer_config.json's count before those that have a
 * file of their own, as for upstream.
 */
export function chatTemplates(files: TokenizerFiles): readonly MetadataEntry[] {
  const templates = inConfig(files.tokenizerConfig?.object["chat_template"]) ?? files.templates;
  const others = templates.filter(({ name }) => name !== "default");
  return [
    ...others.map(({ name, template }) => text(`tokenizer.chat_template.${name}`, template)),
    ...(others.length === 0 ? [] : [names(others)]),
    ...templates
      .filter(({ name }) => name === "default")
      .map(({ template }) => text("tokenizer.chat_template", template)),
  ].filter(({ key }, i, all) => all.findIndex((other) => other.key === key) === i);
}

function text(key: string, value: string): MetadataEntry {
  return { key, type: "string", value };
}

function names(templates: readonly NamedTemplate[]): MetadataEntry {
  const value = [...new Set(templates.map(({ name }) => name))];
  return { key: "tokenizer.chat_templates", type: "array", elementType: "string", value };
}

function inConfig(value: unknown): readonly NamedTemplate[] | undefined {
  if (typeof value === "string") return [{ name: "default", template: value }];
  if (!Array.isArray(value)) return undefined;
  return value.filter(isObject).flatMap(({ name, template }) => {
    if (typeof name !== "string" || name === "" || typeof template !== "string") return [];
    return [{ name: name.replace(/[^A-Za-z0-9]/g, "_"), template }];
  });
}
