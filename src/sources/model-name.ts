import { basename, dirname, resolve } from "node:path";

/**
 * The directory's name. In Hugging Face's cache that is a revision (models--owner--name/snapshots/revision), and some
 * keep the files in a folder that says nothing: then a name above it.
 */
export function modelName(path: string): string {
  const full = resolve(path);
  const cached = /models--.+?--([^/\\]+)[/\\]snapshots[/\\][^/\\]+$/.exec(full)?.[1];
  if (cached !== undefined) return cached;
  const name = basename(full);
  return /^(hf|model|weights|)$/i.test(name) ? basename(dirname(full)) || "model" : name;
}
