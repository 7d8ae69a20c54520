import { isNibbleError, NibbleError } from "../errors.js";
import { formatError } from "./byte-source.js";
import { readGguf, type ReadOptions } from "./gguf.js";
import type { MetadataEntry, ModelInfo, SourceFile, TensorInfo } from "./model-info.js";

/** What tells of the split: in every part, and in no model that is one file. */
export const splitKeys: ReadonlySet<string> = new Set([
  "split.no",
  "split.count",
  "split.tensors.count",
]);

/** The keys of part `part` (counted from 1) of `count`, of a model of so many tensors, with upstream's types. */
export function splitMetadata(
  part: number,
  count: number,
  tensors: number,
): readonly MetadataEntry[] {
  return [
    { key: "split.no", type: "u16", value: part - 1 },
    { key: "split.count", type: "u16", value: count },
    { key: "split.tensors.count", type: "i32", value: tensors },
  ];
}

/** Upstream's name of a part: `<prefix>-00001-of-00003.gguf`. */
export function partPath(prefix: string, part: number, count: number): string {
  const digits = (number: number): string => String(number).padStart(5, "0");
  return `${prefix}-${digits(part)}-of-${digits(count)}.gguf`;
}

/** The end of a part's name: its number, counted from 1, of how many. */
const partName = /-(\d{5})-of-(\d{5})\.gguf$/;

/**
 * Reads a GGUF, or all parts of the split GGUF that `path` is a part of: the metadata of the first, the tensors of all.
 *
 * @throws NibbleError as `readGguf`; ERR_IO where a part is missing, ERR_FORMAT where parts do not belong together.
 */
export async function readSplitGguf(path: string, options: ReadOptions = {}): Promise<ModelInfo> {
  const given = await readGguf(path, options);
  const count = splitCount(given);
  if (count <= 1) return given;
  const named = partName.exec(path);
  if (named === null || Number(named[2]) !== count) {
    const name = `-00001-of-${String(count).padStart(5, "0")}.gguf`;
    throw formatError(path, "split.count", `is ${count}, so that its name has to end like ${name}`);
  }
  const parts: ModelInfo[] = [];
  for (let part = 1; part <= count; part += 1) {
    parts.push(await readPart(path, part, count, options));
  }
  return joined(path, parts);
}

function numberOf(model: ModelInfo, key: string): number {
  const value = model.metadata.find((entry) => entry.key === key)?.value;
  return typeof value === "number" ? value : 0;
}

function splitCount(model: ModelInfo): number {
  return numberOf(model, "split.count");
}

async function readPart(
  given: string,
  part: number,
  count: number,
  options: ReadOptions,
): Promise<ModelInfo> {
  const path = given.replace(partName, `-${String(part).padStart(5, "0")}-of-$2.gguf`);
  const model = await readGguf(path, options).catch((error: unknown) => {
    if (!isNibbleError(error, "ERR_IO") || error.details.errno !== "ENOENT") throw error;
    const message = `${path}: part ${part} of ${count} of the model is missing; download it too`;
    throw new NibbleError("ERR_IO", message, error.details, { cause: error });
  });
  if (splitCount(model) !== count || numberOf(model, "split.no") !== part - 1) {
    const is = `${numberOf(model, "split.no") + 1} of ${splitCount(model)}`;
    throw formatError(path, "split.no", `says part ${is}, but its name says ${part} of ${count}`);
  }
  return model;
}

function joined(path: string, parts: readonly ModelInfo[]): ModelInfo {
  const files: SourceFile[] = parts.flatMap((part) => part.files);
  const tensors = new Map<string, TensorInfo>();
  for (const [file, part] of parts.entries()) {
    for (const tensor of part.tensors) {
      if (tensors.has(tensor.name)) {
        throw formatError(part.path, `tensor ${tensor.name}`, "stands in another part too");
      }
      const pieces = tensor.pieces.map((piece) => ({ ...piece, file }));
      tensors.set(tensor.name, { ...tensor, pieces });
    }
  }
  const [first] = parts;
  const expected = first === undefined ? 0 : numberOf(first, "split.tensors.count");
  if (expected !== tensors.size) {
    const problem = `is ${expected}, and the parts hold ${tensors.size} tensors`;
    throw formatError(path, "split.tensors.count", problem);
  }
  return {
    path,
    container: "gguf",
    metadata: first?.metadata ?? [],
    tensors: [...tensors.values()],
    files,
  };
}
