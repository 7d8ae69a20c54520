import { argumentError } from "../errors.js";
import { defineCommand } from "./shared.js";
import { modelAndOutput, writeModel, writeOptions } from "./write-model.js";

/** What llama.cpp's converter offers too; the other types are the business of quantize. */
const convertTypes = ["F32", "F16", "BF16", "Q8_0"];

export const convertCommand = defineCommand(
  "convert <model> [output]",
  "make a GGUF of a Hugging Face directory, also of a LoRA adapter",
  (yargs) =>
    modelAndOutput(yargs, "a Hugging Face directory")
      .options({
        type: {
          type: "string",
          default: "F16",
          requiresArg: true,
          describe: convertTypes.join(", "),
        },
        base: {
          type: "string",
          requiresArg: true,
          describe: "directory of the model that a LoRA adapter is for (only config.json is read)",
        },
        ...writeOptions,
      })
      .example("$0 convert ./Qwen3-0.6B", "writes Qwen3-0.6B-F16.gguf")
      .example(
        "$0 convert ./my-lora --base ./Qwen3-0.6B",
        "a PEFT adapter, for llama.cpp's --lora",
      ),
  async (argv, context) => {
    const { findRecipe } = await import("../plan/recipes.js");
    const { oneOf } = await import("../plan/nearest-name.js");
    if (!convertTypes.includes(argv.type.toUpperCase())) {
      const expected = `${oneOf(argv.type, convertTypes)}; nibble quantize makes the other types`;
      throw argumentError("--type", expected, argv.type);
    }
    await writeModel(argv, context, { recipe: findRecipe(argv.type).name });
  },
);
