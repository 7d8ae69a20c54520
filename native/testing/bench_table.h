#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "formats/formats.h"
#include "kernels/arch.h"

// What the benches of kernels share: a row for every format, a column for every instruction set.
namespace nibble::testing {

// `amount` per second: the best of `runs` runs, as many as a second allows. The first one warms up
// where there are several.
template <typename Body>
double best_rate(double amount, int runs, const Body& body) {
  if (runs > 1) body();
  double best = 0;
  double total = 0;
  for (int run = 0; run < runs && total < 1.0; ++run) {
    const auto began = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    total += seconds.count();
    best = std::max(best, amount / seconds.count());
  }
  return best;
}

// A row of the table: rate(format, isa) for the instruction sets that this machine runs.
template <size_t n, typename Rate>
void print_rates(const Format& format, const char* how, const Isa (&isas)[n], const Rate& rate) {
  std::printf("%-8s%s", format.name, how);
  for (const Isa isa : isas) {
    if (isa_supported(isa)) std::printf("  %s %7.3f", isa_name(isa), rate(format, isa));
  }
  std::printf("\n");
}

// print_row(format) for all formats, or for the one that the program's only argument names.
template <typename PrintRow>
void print_table(int count, char** args, const PrintRow& print_row) {
  size_t formats_count;
  const Format* rows = formats(&formats_count);
  for (size_t i = 0; i < formats_count; ++i) {
    if (count > 1 && std::strcmp(args[1], rows[i].name) != 0) continue;
    if (rows[i].has_codec()) print_row(rows[i]);
  }
}

}  // namespace nibble::testing
