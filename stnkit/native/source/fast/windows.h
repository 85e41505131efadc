// Sums over the points of a strip in a window of the image, and from there to the gradient.
#pragma once

namespace stnkit::fast {

// Memory of one thread, no larger than the windows of the problem: clearing it costs more than a small warp.
struct Scratch {
  std::unique_ptr<float, void (*)(void*)> memory;
  float* cells;  // cells: a window's, after one for the points without a tap; zeros

  explicit Scratch(const Problem& p) : memory(nullptr, std::free) {
    const int64_t all = std::min(p.H + 3, CELLS) * std::min(p.W + 3, CELLS);
    const size_t of_cells = 4 * static_cast<size_t>(std::min(all, CELLS) + 16) + 64;
    const size_t bytes = (sizeof(float) * of_cells + 63) / 64 * 64;
    memory.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    if (!memory) throw std::bad_alloc();
    std::memset(memory.get(), 0, bytes);
    cells = memory.get() + 16;
  }
};

// Rows [begin, end) of an image, and channels [first, last): the share of one thread.
struct Share {
  int64_t n, begin, end, first, last;
};

// One read and one write of 128 bits for each point; `to` is the first cell of a window.
STNKIT_INLINE void add_to_cells(float* to, const int32_t* index, const float* weight, const float* g, int n) {
  for (int t = 0; t < n; t++) {
    float* cell = to + 4 * int64_t{index[t]};
    _mm_store_ps(cell, _mm_fmadd_ps(_mm_set1_ps(g[t]), _mm_load_ps(weight + 4 * t), _mm_load_ps(cell)));
  }
}

// A plane of the gradient, or a band of its rows: the others belong to other threads.
struct Plane {
  float* data;
  int64_t H, W, begin, end;
};

// Taps 0 and 1 of the cells c, c + 1, c + 4 and c + 5 below a row of pixels, and to them 2 and 3 of those above it.
STNKIT_INLINE vf pairs_of_cells(const float* above, const float* below) {
  const auto two = [&](const float* cell) __attribute__((always_inline)) {
    return _mm256_castps_pd(_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(cell)), _mm_load_ps(cell + 16), 1));
  };
  const __m256d upper = _mm256_unpackhi_pd(two(above), two(above + 4));
  const __m256d lower = _mm256_unpacklo_pd(two(below), two(below + 4));
  return add(_mm256_castpd_ps(lower), _mm256_castpd_ps(upper));
}

// Adds the cells of a window to the pixels of their taps, or writes them there, and clears them.
template <bool ADD>
STNKIT_INLINE void add_window(float* cells, const Window& w, const Plane& plane) {
  const int64_t pitch = w.columns + 2;
  const int64_t first = std::max<int64_t>(w.column, 0), last = std::min(w.column + w.columns, plane.W - 1);
  for (int64_t r = 0; r <= w.rows; r++) {
    float *above = cells + 4 * r * pitch, *below = above + 4 * pitch;
    const int64_t row = w.row + r;
    if (row >= plane.begin && row < plane.end) {
      float* out = plane.data + row * plane.W;
      if (ADD) prefetch_below(out + first, plane.W, last + 1 - first);
      int64_t at = 4 * (first - w.column);
      vf before = _mm256_set1_ps(below[at + 1] + above[at + 3]);
      at += 4;  // the cell of the first column
      for (int64_t x = first; x <= last; x += LANES, at += 4 * LANES) {  // beyond the end: read but not used
        const vf a = pairs_of_cells(above + at, below + at), b = pairs_of_cells(above + at + 8, below + at + 8);
        const vf own = _mm256_shuffle_ps(a, b, 0x88), next = _mm256_shuffle_ps(a, b, 0xdd);  // at x and at x + 1
        const vi joint = _mm256_castps_si256(_mm256_permute2f128_ps(before, next, 0x21));
        const vf to = add(own, _mm256_castsi256_ps(_mm256_alignr_epi8(_mm256_castps_si256(next), joint, 12)));
        const int left = static_cast<int>(last + 1 - x);
        store_first(out + x, ADD ? add(load_first(out + x, left), to) : to, left);
        before = next;
      }
    }
    std::memset(above, 0, sizeof(float) * 4 * pitch);
  }
}

// Each tap by itself, for a map that spreads its points over a larger window.
STNKIT_INLINE void add_points(const Cells& cells, int begin, const float* g, int n, const Plane& plane) {
  for (int u = 0, t = begin; u < n; u++, t++) {
    const int64_t row = cells.row[t], column = cells.column[t];
    if (row == NOWHERE) continue;
    const float* w = cells.weight + 4 * t;
    float* out = plane.data + row * plane.W + column;
    const bool left = column >= 0, right = column + 1 < plane.W;
    if (row >= plane.begin && row < plane.end) {
      if (left) out[0] += g[u] * w[0];
      if (right) out[1] += g[u] * w[1];
    }
    if (row + 1 >= plane.begin && row + 1 < plane.end) {
      if (left) out[plane.W] += g[u] * w[2];
      if (right) out[plane.W + 1] += g[u] * w[3];
    }
  }
}

// Three or four channels in 128 bits, in a window of pixels: after a store of 96 the next point's load would wait.
STNKIT_INLINE __m128 load_channels(const float* g, int64_t C) {
  if (C == 4) return _mm_loadu_ps(g);
  const __m128 two = _mm_loadl_pi(_mm_setzero_ps(), reinterpret_cast<const __m64*>(g));
  return _mm_movelh_ps(two, _mm_load_ss(g + 2));
}

STNKIT_INLINE void add_to_pixels(float* to, int64_t pitch, const float* weight, __m128 g) {
  const int64_t taps[4] = {0, 4, 4 * pitch, 4 * pitch + 4};
  for (int tap = 0; tap < 4; tap++)
    _mm_store_ps(to + taps[tap], _mm_fmadd_ps(_mm_set1_ps(weight[tap]), g, _mm_load_ps(to + taps[tap])));
}

STNKIT_INLINE void add_pixels(float* pixels, const Window& w, const Share& share, float* image, int64_t C, int64_t W) {
  const int64_t first = std::max<int64_t>(w.column, 0), last = std::min(w.column + w.columns, W - 1);
  const int64_t pitch = w.columns + 2;
  for (int64_t row = w.row; row <= w.row + w.rows; row++) {
    if (row < share.begin || row >= share.end) continue;
    const float* from = pixels + 4 * ((row - w.row + 1) * pitch + first - w.column + 1);
    float* to = image + (row * W + first) * C;
    for (int64_t x = first; x <= last; x++, from += 4, to += C)
      for (int64_t c = 0; c < C; c++) to[c] += from[c];
  }
  std::memset(pixels, 0, sizeof(float) * 4 * (w.rows + 2) * pitch);
}

}  // namespace stnkit::fast
