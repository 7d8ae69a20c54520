#include "napi/encoding_args.h"

#include <string>

#include "napi/objects.h"

namespace nibble {
namespace {

struct NamedType {
  const char* name;
  NumberType type;
};

constexpr NamedType kTypes[] = {
    {"E4M3", NumberType::kE4M3}, {"E5M2", NumberType::kE5M2}, {"E8M0", NumberType::kE8M0},
    {"I8", NumberType::kI8},     {"U8", NumberType::kU8},     {"F16", NumberType::kF16},
    {"BF16", NumberType::kBF16}, {"F32", NumberType::kF32},   {"I32", NumberType::kI32},
};

NumberType type_of(const Napi::Object& object) {
  const std::string name = string(object, "type");
  for (const NamedType& row : kTypes) {
    if (name == row.name) return row.type;
  }
  type_error(object.Env(), "type to be one of numbers");
}

Packing packing_of(const Napi::Object& object) {
  const Napi::Value value = object.Get("packing");
  if (!value.IsObject()) return {0, false, false};
  const auto packing = value.As<Napi::Object>();
  const int64_t bits = integer(packing, "bits");
  const bool awq_order = boolean(packing, "awqOrder");
  if ((bits != 2 && bits != 4 && bits != 8) || (awq_order && bits != 4))
    type_error(object.Env(), "bits to be 2, 4 or 8, in AWQ's order 4");
  return {static_cast<int>(bits), boolean(packing, "down"), awq_order};
}

// The piece's files have been checked to be as long as they say; here only that the shape is.
NumberGrid grid_of(const Napi::Object& object) {
  NumberGrid grid = {integer(object, "file"), integer(object, "offset"),
                     integer(object, "rows"), integer(object, "columns"),
                     type_of(object),         boolean(object, "byColumns"),
                     packing_of(object)};
  const bool is_packed = grid.packing.bits != 0;
  if (grid.rows < 1 || grid.columns < 1 || is_packed != (grid.type == NumberType::kI32) ||
      grid.bytes() != integer(object, "bytes")) {
    type_error(object.Env(), "a grid of numbers to be as long as its shape");
  }
  return grid;
}

std::optional<NumberGrid> optional_grid(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsObject()) return std::nullopt;
  return grid_of(value.As<Napi::Object>());
}

ScaledCodes scaled_of(const Napi::Object& object) {
  ScaledCodes codes = {grid_of(object_of(object.Get("codes"), "codes")),
                       optional_grid(object, "scales"),
                       optional_grid(object, "zeros"),
                       static_cast<float>(integer(object, "zeroBias")),
                       integer(object, "rowsPerScale"),
                       integer(object, "columnsPerScale"),
                       std::nullopt};
  const Napi::Value groups = object.Get("groups");
  if (groups.IsObject()) {
    const auto index = groups.As<Napi::Object>();
    codes.groups = GroupIndex{integer(index, "file"), integer(index, "offset")};
  }
  const auto covers = [&](const NumberGrid& grid) {
    return codes.rows_per_scale > 0 && codes.columns_per_scale > 0 &&
           (codes.codes.rows - 1) / codes.rows_per_scale < grid.rows &&
           (codes.groups || (codes.codes.columns - 1) / codes.columns_per_scale < grid.columns);
  };
  const auto same = [](const NumberGrid& a, const NumberGrid& b) {
    return a.rows == b.rows && a.columns == b.columns;
  };
  if ((codes.scales && !covers(*codes.scales)) ||
      (codes.zeros && !(codes.scales && same(*codes.scales, *codes.zeros)))) {
    type_error(object.Env(), "scales and zeros to cover the codes");
  }
  return codes;
}

Mxfp4Codes mxfp4_of(const Napi::Object& object) {
  const Mxfp4Codes codes = {grid_of(object_of(object.Get("codes"), "codes")),
                            grid_of(object_of(object.Get("scales"), "scales"))};
  const auto are_bytes = [](const NumberGrid& grid) {
    return grid.type == NumberType::kU8 && !grid.by_columns;
  };
  if (!are_bytes(codes.codes) || !are_bytes(codes.scales) ||
      codes.codes.rows != codes.scales.rows || codes.codes.columns != codes.scales.columns * 16) {
    type_error(object.Env(), "blocks of 16 bytes with a scale each");
  }
  return codes;
}

}  // namespace

EncodedPiece encoded_rows_arg(const Napi::Object& object, const Task& task) {
  EncodedPiece piece;
  piece.rows.first = integer(object, "firstRow");
  piece.rows.step = integer(object, "rowStep");
  piece.count = integer(object, "rows");
  int64_t rows = 0;
  int64_t columns = 0;
  const bool is_mxfp4 = string(object, "kind") == "mxfp4";
  if (is_mxfp4) {
    piece.rows.mxfp4 = mxfp4_of(object);
    rows = piece.rows.mxfp4->codes.rows;
    columns = piece.rows.mxfp4->codes.columns * 2;
  } else {
    piece.rows.scaled = scaled_of(object);
    rows = piece.rows.scaled->codes.rows;
    columns = piece.rows.scaled->codes.columns;
  }
  if (piece.count < 1 || piece.rows.step < 1 || columns != task.n_per_row ||
      piece.rows.first + (piece.count - 1) * piece.rows.step >= rows) {
    type_error(object.Env(), "an encoding of " + task.name + " with its rows");
  }
  if (task.transposed || task.from->id != (is_mxfp4 ? kIdMXFP4 : kIdF32)) {
    type_error(object.Env(), "the encoded " + task.name + " to be read as what it becomes");
  }
  return piece;
}

}  // namespace nibble
