import { readFile } from "node:fs/promises";
import { ioError } from "../errors.js";

/**
 * The text of a file, as UTF-8.
 *
 * @throws NibbleError ERR_IO; `signal.reason` on abort.
 */
export async function readText(path: string, signal: AbortSignal): Promise<string> {
  try {
    return await readFile(path, { encoding: "utf8", signal });
  } catch (error) {
    throw ioError(error, path, "read the text");
  }
}
