import { NibbleError } from "../errors.js";
import type { MetadataEntry, TensorInfo } from "../sources/model-info.js";
import type { Recipe } from "./recipes.js";

/** With fewer bits an adapter's small matrices lose what they were trained for, and nothing is saved. */
const adapterRecipes: readonly string[] = ["F32", "F16", "BF16", "Q8_0", "COPY"];

/** Whether the metadata are a LoRA adapter's. */
export function isAdapter(metadata: readonly MetadataEntry[]): boolean {
  return metadata.some(({ key, value }) => key === "general.type" && value === "adapter");
}

/**
 * `general.file_type` of the output; null keeps the source's. Adapters have none.
 *
 * @throws NibbleError ERR_PLAN for an adapter in a type that nobody should make it.
 */
export function fileTypeOf(metadata: readonly MetadataEntry[], recipe: Recipe): number | null {
  if (!isAdapter(metadata)) return recipe.fileType;
  if (adapterRecipes.includes(recipe.name)) return null;
  const reason = `a LoRA adapter is small and sensitive; take ${adapterRecipes.join(", ")}`;
  throw new NibbleError("ERR_PLAN", `${recipe.name}: ${reason}`, { type: recipe.name, reason });
}

/** What llama.cpp makes of an adapter, where that is not all of it. */
export function adapterWarnings(
  metadata: readonly MetadataEntry[],
  tensors: readonly TensorInfo[],
): readonly string[] {
  const norms = tensors.filter(({ name }) => name.endsWith("_norm.weight")).length;
  if (norms === 0 || !isAdapter(metadata)) return [];
  return [`llama.cpp does not apply the ${norms} norms that the adapter holds besides its LoRA`];
}
