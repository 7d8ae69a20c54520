#include "kernels/attention/attention.h"

#include <algorithm>
#include <limits>

#include "formats/q8_0.h"
#include "kernels/attention/isa_tables.h"

namespace nibble {
namespace {

void write_halves(int64_t head_dim, int64_t token, const uint16_t* row, uint8_t* tile) {
  auto* halves = reinterpret_cast<uint16_t*>(tile) + token;
  for (int64_t j = 0; j < head_dim; ++j) halves[j * kKeyTile] = row[j];
}

void write_codes(uint8_t zero, int64_t head_dim, int64_t token, const BlockQ8_0* row,
                 uint8_t* tile) {
  for (int64_t j = 0; j < head_dim; j += kActBlock, ++row, tile += kKeyTile * sizeof(BlockQ8_0)) {
    reinterpret_cast<uint16_t*>(tile)[token] = row->d;
    uint8_t* codes = tile + kKeyTile * sizeof(row->d) + 4 * token;
    for (int i = 0; i < kActBlock; ++i)
      codes[i / 4 * 4 * kKeyTile + i % 4] = static_cast<uint8_t>(row->qs[i] + zero);
  }
}

}  // namespace

void write_key(KeysAndValues type, uint8_t key_code_zero, int64_t head_dim, int64_t token,
               const void* row, uint8_t* keys) {
  const int64_t tile = token / kKeyTile * kKeyTile;
  if (type == KeysAndValues::kF16) {
    write_halves(head_dim, token % kKeyTile, static_cast<const uint16_t*>(row),
                 keys + tile * head_dim * static_cast<int64_t>(sizeof(uint16_t)));
  } else {
    write_codes(key_code_zero, head_dim, token % kKeyTile, static_cast<const BlockQ8_0*>(row),
                keys + tile * head_dim / kActBlock * static_cast<int64_t>(sizeof(BlockQ8_0)));
  }
}

void clear_sums(const RunningSums& sums, int64_t rows, int64_t head_dim) {
  std::fill_n(sums.largest, rows, std::numeric_limits<float>::lowest());
  std::fill_n(sums.total, rows, 0.0f);
  std::fill_n(sums.sums, rows * sums_stride(head_dim), 0.0f);
}

const Attention& find_attention(Isa isa) {
  for (const Attention* functions : kAttentionTables) {
    if (functions->isa >= isa && isa_supported(functions->isa)) return *functions;
  }
  return kAttention_generic;
}

}  // namespace nibble
