// Bilinear warps of float32 images by AVX2, with any padding but circular.
#pragma once
#include "layout.h"
#include "simd.h"
#include "points.h"
#include "chunks.h"
#include "taps.h"
#include "forward.h"
#include "tap_sums.h"
#include "coordinate_gradient.h"
#include "cells.h"
#include "windows.h"
#include "image_gradient.h"

namespace stnkit::fast {

inline bool takes(const Problem& p) {
  if (p.taps != 2 || p.padding == Padding::circular) return false;
  if (p.N < 1 || p.C < 1 || p.Ho < 1 || p.Wo < 1 || p.H < 2 || p.W < 2) return false;
  if (p.Ho > 1 << 22 || p.Wo > 1 << 22) return false;  // half a pixel is exact in a float
  return takes_image(p) && (!p.out.data || takes_out(p));
}

inline bool takes(const Problem& p, const Gradients& g) {
  if (!takes(p)) return false;
  return !g.of_image.data || is_planar(g.of_image, p.H, p.W) || is_channels_last(g.of_image, p.C, p.H, p.W);
}

// Below this number of values a second thread costs more than it saves.
constexpr int64_t SMALL = 20000;

inline Problem with_threads_of_work(Problem p) {
  if (p.threads < 1 || p.N * p.C * p.Ho * p.Wo < SMALL) p.threads = 1;
  return p;
}

inline void forward(const Problem& given) {
  const Problem p = with_threads_of_work(given);
  forward_of(p);
}

inline void backward(const Problem& given, const Gradients& g) {
  const Problem p = with_threads_of_work(given);
  if (g.of_coordinates) coordinates_of(p, g);
  if (g.of_image.data) image_of(p, g);
}

}  // namespace stnkit::fast
