// The memory that is asked for ahead of its use. In a photograph that is turned every other pixel lies in a line of
// memory of its own, which no processor foresees: the warp would wait for each of them.
#pragma once
#include "source_points.h"

namespace stnkit {
namespace bytes {

// Output rows between a block and the one whose pixels are asked for.
constexpr int64_t ROWS_AHEAD = 3;

// Of each block two pixels are asked for, so many bytes further. Which ones changes from row to row, so that of output
// rows that run down the image each line is asked for in time.
struct Ahead {
  int64_t bytes;
  int pixel;

  // An address beyond the image is none that is read: the processor passes over it.
  void ask_for(const uint8_t* image, const int32_t* at) const {
    for (const int k : {pixel, pixel ^ static_cast<int>(BLOCK / 2)}) {
      const auto address = reinterpret_cast<uintptr_t>(image) + static_cast<uintptr_t>(at[k] + bytes);
      _mm_prefetch(reinterpret_cast<const char*>(address), _MM_HINT_T0);
    }
  }
};

// From the source points of an output row to those of a later one, in the middle of its columns.
inline Ahead ahead_of(const ByteProblem& p, const RowMap& map, int64_t i, double column) {
  const RowMap later = row_map(p, std::min(i + ROWS_AHEAD, p.Ho - 1));
  const auto along = [&](int k) -> int64_t {
    const auto at = [&](const RowMap& row) {
      return (row.step[k] * column + row.first[k]) / (row.step[2] * column + row.first[2]);
    };
    const double distance = at(later) - at(map);
    return std::abs(distance) < FARTHEST ? std::llround(distance) : 0;
  };
  return {along(0) * p.image_pixel + along(1) * p.image_row, static_cast<int>(i % BLOCK)};
}

}  // namespace bytes
}  // namespace stnkit
