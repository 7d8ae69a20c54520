import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The model that comes with Nibble: a Hugging Face directory in BF16, trained for 512 tokens. */
export const embeddedModel = fileURLToPath(new URL("../../models/nibble-8m/", import.meta.url));

/** The file of the text that comes with it, 8000 tokens, and the text. */
export const storyPath = `${embeddedModel}eval.txt`;
export const story = readFileSync(storyPath, "utf8");

/** What comes in pieces, as one. */
export async function wholeText(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}
