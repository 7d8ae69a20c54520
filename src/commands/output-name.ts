import type { ModelInfo } from "../sources/model-info.js";
import { modelName } from "../sources/model-name.js";

/** Endings that say what a file is, not which model: `-00001-of-00003`, and the types that sources usually have. */
const endings = [/\.gguf$/i, /-\d{5}-of-\d{5}$/, /[-.](f32|f16|bf16)$/i];

/** Name of the output in the working directory where the user gives none: `<name>-<recipe>.gguf`. */
export function defaultOutput(model: string, recipe: string): string {
  const name = endings.reduce((text, ending) => text.replace(ending, ""), modelName(model));
  return `${name === "" ? "model" : name}-${recipe}.gguf`;
}

/** What GGUF's naming scheme wants before the encoding, in its order; the first is the name where there is no basename. */
const nameKeys = ["basename", "size_label", "finetune", "version"];

/** File systems allow 255 bytes, and the output's endings come behind. */
const maxNameCharacters = 120;

/**
 * As `defaultOutput`, for a model that is quantized or converted: of a Hugging Face directory the name follows GGUF's
 * scheme, `<BaseName>-<SizeLabel>-<FineTune>-<Version>-<Encoding>-<Type>.gguf`, from the metadata; models have no type.
 */
export function outputOf(source: ModelInfo, recipe: string): string {
  if (source.container !== "hf") return defaultOutput(source.path, recipe);
  const textOf = (key: string): string | undefined => {
    const value = source.metadata.find((entry) => entry.key === `general.${key}`)?.value;
    return typeof value === "string" ? value.trim() : undefined;
  };
  const [basename = textOf("name"), ...others] = nameKeys.map(textOf);
  const parts = [basename, ...others].filter((part) => part !== undefined && part !== "");
  // What a model card says may hold anything: a name is one part of a path, and plain.
  const name = parts
    .join("-")
    .replace(/[^\p{L}\p{N}.+_-]+/gu, "-")
    .replace(/^[.-]+/, "")
    .slice(0, maxNameCharacters);
  const type = textOf("type") === "adapter" ? "-LoRA" : "";
  return `${name === "" ? "model" : name}-${recipe}${type}.gguf`;
}

/** Name of the model in the working directory, without what says that the file is a GGUF or a part of one. */
export function modelStem(model: string): string {
  const name = modelName(model)
    .replace(/\.gguf$/i, "")
    .replace(/-\d{5}-of-\d{5}$/, "");
  return name === "" ? "model" : name;
}
