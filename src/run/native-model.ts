import type { NativeModelOptions } from "../native/binding.js";
import type { ModelInfo } from "../sources/model-info.js";
import { architectures } from "./architectures.js";
import { unsupported } from "./graph-errors.js";
import { graphLayers } from "./graph-layers.js";
import { graphNumbers } from "./graph-numbers.js";
import { placer } from "./graph-places.js";
import { fusedTensors, layerTensors, modelTensors } from "./graph-tensors.js";
import { modelValues } from "./model-values.js";
import { readRopeFactors, ropeFactorNames } from "./rope-factors.js";

/**
 * The graph of a model as the addon takes it, every tensor found and its shape and type checked.
 *
 * @throws NibbleError ERR_UNSUPPORTED for an architecture, a tensor or a type that the native engine does not have,
 * ERR_FORMAT where a tensor is missing or its shape is not what the metadata says, ERR_IO.
 */
export async function nativeModel(info: ModelInfo): Promise<NativeModelOptions> {
  const values = modelValues(info);
  const isKnown = Object.hasOwn(architectures, values.architecture);
  const architecture = isKnown ? architectures[values.architecture] : undefined;
  if (architecture === undefined) {
    const known = Object.keys(architectures).join(", ");
    const problem = `the native engine has the architectures ${known}, and not ${values.architecture}`;
    throw unsupported(info.path, "architecture", values.architecture, problem);
  }
  const tensors = new Map(info.tensors.map((tensor) => [tensor.name, tensor]));
  const numbers = graphNumbers(info, values, architecture, tensors);
  // Tensors come first: they bear out the numbers, so that nothing is made of a size that is not there.
  const place = placer(info, tensors, numbers.lengths, fusedTensors(architecture));
  const rows = layerTensors(architecture, numbers.config.experts.count > 0);
  const once = place(modelTensors(architecture), "");
  const layers = Array.from({ length: numbers.layers }, (_, i) => place(rows, `blk.${i}.`));
  const factors = await readRopeFactors(info, tensors, numbers.ropeDims / 2);
  const shapes = graphLayers(info, values, architecture, numbers, factors, tensors);
  const config = { ...numbers.config, ...shapes };
  const options: NativeModelOptions = { files: info.files, config, tensors: once, layers };
  refuseUnknownTensors(info, options);
  return options;
}

/** A tensor that has no place in the graph would quietly be left out. */
function refuseUnknownTensors(info: ModelInfo, { tensors, layers }: NativeModelOptions): void {
  const known = new Set([
    ...ropeFactorNames,
    ...tensors.map(({ source }) => source),
    ...layers.flatMap((rows, i) => rows.map(({ source }) => `blk.${i}.${source}`)),
  ]);
  // Written by old converters; computed from the metadata since.
  const isHarmless = (name: string) =>
    name.endsWith(".attn_rot_embd") || name.endsWith("rope_freqs.weight");
  const unknown = info.tensors.find(({ name }) => !known.has(name) && !isHarmless(name));
  if (unknown !== undefined) {
    const problem = `the native engine's graph has no place for the tensor ${unknown.name}`;
    throw unsupported(info.path, "tensor", unknown.name, problem);
  }
}
