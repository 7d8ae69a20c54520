#include "model/weights.h"

#include <string>
#include <utility>

#include "base/error.h"

namespace nibble {
namespace {

struct ModelTensor {
  const char* name;
  Weight Model::*weight;
};

constexpr ModelTensor kModelTensors[] = {
    {"token_embd.weight", &Model::token_embd},   {"position_embd.weight", &Model::position_embd},
    {"output_norm.weight", &Model::output_norm}, {"output_norm.bias", &Model::output_norm_bias},
    {"output.weight", &Model::output},           {"output.bias", &Model::output_bias}};

// The member of that name. A name that is not in the table is a bug of the caller.
template <typename Row, size_t n, typename Owner>
Weight& member(const Row (&rows)[n], Owner& owner, const std::string& name) {
  for (const Row& row : rows) {
    if (name == row.name) return owner.*(row.weight);
  }
  throw Error(ErrorCode::kInternal, "the graph has no tensor " + name);
}

// The matrices of single experts, which lie one below the other.
std::vector<Expert> split_experts(const Layer& layer, int64_t count) {
  std::vector<Expert> experts(static_cast<size_t>(count));
  const struct {
    const Weight& all;
    Weight Expert::*one;
  } matrices[] = {{layer.ffn_gate_exps, &Expert::gate},
                  {layer.ffn_up_exps, &Expert::up},
                  {layer.ffn_down_exps, &Expert::down}};
  for (const auto& [all, one] : matrices) {
    for (int64_t i = 0; i < count; ++i) {
      Weight& weight = experts[static_cast<size_t>(i)].*one;
      weight = all;
      weight.rows = all.rows / count;
      weight.data = all.row(i * weight.rows);
      weight.expert = i;
      weight.experts = count;
    }
  }
  return experts;
}

}  // namespace

Model::Model(ModelConfig model_config, const ModelFiles& files) : config(std::move(model_config)) {
  for (const ModelFile& file : files.files) files_.emplace_back(file.path, file.bytes);
  for (const TensorPlace& tensor : files.tensors)
    member(kModelTensors, *this, tensor.name) = place(tensor);
  if (!output) output = token_embd;
  layers.resize(files.layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    for (const TensorPlace& tensor : files.layers[i]) {
      Weight& weight = member(kLayerTensors, layers[i], tensor.name);
      weight = place(tensor);
      weight.name = "blk." + std::to_string(i) + "." + tensor.source;
    }
    if (layers[i].ffn_gate_inp) layers[i].experts = split_experts(layers[i], config.experts.count);
  }
}

Weight Model::place(const TensorPlace& tensor) const {
  Weight weight;
  weight.name = tensor.source;
  weight.format = find_format(tensor.format);
  weight.data = files_.at(static_cast<size_t>(tensor.file)).data() + tensor.offset;
  weight.n = tensor.n;
  weight.rows = tensor.rows;
  return weight;
}

const float* floats(const Weight& weight) { return reinterpret_cast<const float*>(weight.data); }

}  // namespace nibble
