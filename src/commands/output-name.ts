import { modelName } from "../sources/model-name.js";

/** Endings that say what a file is, not which model: `-00001-of-00003`, and the types that sources usually have. */
const endings = [/\.gguf$/i, /-\d{5}-of-\d{5}$/, /[-.](f32|f16|bf16)$/i];

/** Name of the output in the working directory where the user gives none: `<name>-<recipe>.gguf`. */
export function defaultOutput(model: string, recipe: string): string {
  const name = endings.reduce((text, ending) => text.replace(ending, ""), modelName(model));
  return `${name === "" ? "model" : name}-${recipe}.gguf`;
}

/** Name of the model in the working directory, without what says that the file is a GGUF or a part of one. */
export function modelStem(model: string): string {
  const name = modelName(model)
    .replace(/\.gguf$/i, "")
    .replace(/-\d{5}-of-\d{5}$/, "");
  return name === "" ? "model" : name;
}
