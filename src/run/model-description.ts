import { recipes } from "../plan/recipes.js";
import type { ModelInfo } from "../sources/model-info.js";

/** Architecture, number of parameters and recipe, as llama-bench's first column: "llama 8.4M Q4_0". */
export function modelDescription(info: ModelInfo): string {
  const value = (key: string) => info.metadata.find((entry) => entry.key === key)?.value;
  const parts = [
    value("general.architecture"),
    value("general.size_label"),
    recipes.find(({ fileType }) => fileType === value("general.file_type"))?.name,
  ];
  return parts.filter((part) => part !== undefined).join(" ");
}
