// Bilinear warps of float32 images by AVX2: zeros, border, reflection and fill.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "problem.h"
#include "threads.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define STNKIT_FAST 1

#include "layout.h"

namespace stnkit::fast {

inline bool has_instructions() {
  __builtin_cpu_init();  // Clang's runtime may not have done it
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

inline bool takes(const Problem& p) {
  static const bool runs_here = has_instructions();
  if (!runs_here || p.taps != 2 || p.padding == Padding::circular) return false;
  if (p.N < 1 || p.C < 1 || p.Ho < 1 || p.Wo < 1 || p.H < 2 || p.W < 2) return false;
  if (p.Ho > 1 << 22 || p.Wo > 1 << 22) return false;  // half a pixel is exact in a float
  return takes_image(p) && (!p.out.data || takes_out(p));
}

inline bool takes(const Problem& p, const Gradients& g) {
  if (!takes(p)) return false;
  return !g.of_image.data || is_planar(g.of_image, p.H, p.W) || is_channels_last(g.of_image, p.C, p.H, p.W);
}

}  // namespace stnkit::fast

// One translation unit for every processor: only what follows is compiled for AVX2, and only runs where that is there.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#include "simd.h"
#include "points.h"
#include "chunks.h"
#include "taps.h"
#include "fast_forward.h"
#include "tap_sums.h"
#include "fast_coordinates.h"
#include "cells.h"
#include "windows.h"
#include "fast_image.h"

namespace stnkit::fast {

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

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else

namespace stnkit::fast {
inline bool takes(const Problem&) { return false; }
inline bool takes(const Problem&, const Gradients&) { return false; }
inline void forward(const Problem&) {}
inline void backward(const Problem&, const Gradients&) {}
}  // namespace stnkit::fast

#endif
