// Pixels some of whose taps lie beyond the image.
#pragma once
#include "spans.h"

namespace stnkit {
namespace bytes {

// The pixel of a row of n that stands for pixel i, or -1 for the constant.
inline int64_t source_index(int64_t i, int64_t n, Padding padding) {
  if (i >= 0 && i < n) return i;
  switch (padding) {
    case Padding::border: return i < 0 ? 0 : n - 1;
    case Padding::circular: return ((i % n) + n) % n;
    case Padding::reflection: {
      const int64_t folded = ((i % (2 * n)) + 2 * n) % (2 * n);
      return std::min(folded, 2 * n - 1 - folded);
    }
    case Padding::mirror: {
      const int64_t period = std::max<int64_t>(2 * n - 2, 1), folded = ((i % period) + period) % period;
      return std::min(folded, period - folded);
    }
    default: return -1;
  }
}

inline uint8_t rounded(float value) { return static_cast<uint8_t>(std::min(std::max(value + .5f, 0.f), 255.f)); }

inline void edge_pixel(const ByteProblem& p, int64_t x, int64_t y, float fx, float fy, uint8_t* out) {
  float sums[4] = {0, 0, 0, 0};
  for (int tap = 0; tap < 4; tap++) {
    const int64_t column = source_index(x + (tap & 1), p.W, p.padding);
    const int64_t row = source_index(y + (tap >> 1), p.H, p.padding);
    const float weight = ((tap & 1) ? fx : 1 - fx) * ((tap >> 1) ? fy : 1 - fy);
    const uint8_t* pixel = column < 0 || row < 0 ? nullptr : p.image + row * p.image_row + column * p.image_pixel;
    for (int64_t c = 0; c < p.C; c++) sums[c] += weight * (pixel ? pixel[c] : p.fill[c]);
  }
  for (int64_t c = 0; c < p.C; c++) out[c] = rounded(sums[c]);
}

// Columns of a row, wherever their source points lie.
inline void edge_pixels(const ByteProblem& p, const RowMap& map, Span span, uint8_t* out) {
  alignas(32) int32_t x[BLOCK], y[BLOCK];
  alignas(32) float fx[BLOCK], fy[BLOCK];
  for (int64_t j = span.begin; j < span.end; j += BLOCK) {
    const Block block = source_points(map, j);
    _mm256_store_si256(reinterpret_cast<__m256i*>(x), block.x);
    _mm256_store_si256(reinterpret_cast<__m256i*>(y), block.y);
    _mm256_store_ps(fx, block.fx);
    _mm256_store_ps(fy, block.fy);
    for (int64_t k = 0; k < std::min(BLOCK, span.end - j); k++) {
      edge_pixel(p, x[k], y[k], fx[k], fy[k], out + (j + k) * p.out_pixel);
    }
  }
}

// Columns of a row all of whose taps are the constant.
inline void constant_pixels(const ByteProblem& p, Span span, uint8_t* out) {
  if (p.C == 1) {
    if (span.end > span.begin) std::memset(out + span.begin, rounded(p.fill[0]), static_cast<size_t>(span.end - span.begin));
    return;
  }
  const uint8_t pixel[4] = {rounded(p.fill[0]), rounded(p.fill[1]), rounded(p.fill[2]), 0};
  for (int64_t j = span.begin; j < span.end; j++) std::memcpy(out + 4 * j, pixel, 4);
}

}  // namespace bytes
}  // namespace stnkit
