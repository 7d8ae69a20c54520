#include "kernels/peak/peak.h"

#include "kernels/peak/isa_tables.h"

namespace nibble {

const PeakLoops& find_peak(Isa isa) {
  for (const PeakLoops* loops : kPeakTables) {
    if (loops->isa >= isa && isa_supported(loops->isa)) return *loops;
  }
  return kPeak_generic;
}

}  // namespace nibble
