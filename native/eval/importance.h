#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/observer.h"

namespace nibble {

// Sums over the rows that went into one matrix, per input column; in double, so that a long text
// loses nothing. A tensor of experts has them for each, one behind the other.
struct ImportanceSums {
  std::vector<int64_t> rows;  // by expert
  std::vector<double> squares;
  std::vector<double> values;
};

// What an importance matrix is made of: the sums of the inputs of all matrices in the layers. (The
// output matrix is left out, as upstream does by default.)
class ImportanceCollector final : public Observer {
 public:
  void input(const Weight& weight, const float* x, int64_t rows) override;

  const std::map<std::string, ImportanceSums>& sums() const { return sums_; }

 private:
  std::map<std::string, ImportanceSums> sums_;
};

}  // namespace nibble
