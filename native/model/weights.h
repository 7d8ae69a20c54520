#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "model/config.h"
#include "model/layer.h"

namespace nibble {

// Where a tensor lies. Its bytes are inside the file; format, n and rows fit the graph.
struct TensorPlace {
  std::string name;    // the graph's; in a layer without "blk.N."
  std::string source;  // the file's, of which it is all or some rows; in a layer without "blk.N."
  int64_t file;
  int64_t offset;
  uint32_t format;
  int64_t n;
  int64_t rows;
};

struct ModelFile {
  std::string path;
  int64_t bytes;
};

struct ModelFiles {
  std::vector<ModelFile> files;
  std::vector<TensorPlace> tensors;  // token_embd.weight, output_norm.weight, output.weight ...
  std::vector<std::vector<TensorPlace>> layers;
};

// A model in memory that is mapped from its files, read only: it may be used by many contexts and
// threads at once.
class Model {
 public:
  // Throws Error kIo, or kFormat where a file is not as long as it was.
  Model(ModelConfig config, const ModelFiles& files);

  ModelConfig config;
  Weight token_embd;
  Weight position_embd;  // a row per position, where the model has learned them
  Weight output_norm, output_norm_bias;
  Weight output;  // the embedding, where the model has no matrix of its own
  Weight output_bias;
  std::vector<Layer> layers;

 private:
  Weight place(const TensorPlace& tensor) const;

  std::vector<MappedFile> files_;
};

// A vector of F32, for norms and biases; null where the tensor is not there.
const float* floats(const Weight& weight);

}  // namespace nibble
