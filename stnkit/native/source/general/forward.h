// The values of every Problem.
#pragma once

#include "packed.h"
#include "planar.h"

namespace stnkit::general {

constexpr int64_t BLOCK = 64;  // channels that are read together

// Less work than starting a second thread costs.
inline int threads_for(const Problem& p) { return p.N * p.C * p.Ho * p.Wo * p.taps < 32768 ? 1 : p.threads; }

inline bool is_packed(const Problem& p, const int64_t* stride) { return p.C > 1 && stride[1] == 1; }

// Offsets of the pixels of a chunk in an image of the size of the output.
struct Places {
  int64_t at[CHUNK];
  bool dense;  // beside each other
};

inline void places_of(const Problem& p, const Chunk& chunk, const int64_t* stride, Places& places) {
  for_rows(p, chunk, [&](int first, int n, int64_t row, int64_t column) {
    for (int t = 0; t < n; t++) places.at[first + t] = row * stride[2] + (column + t) * stride[3];
  });
  places.dense = stride[3] == 1 && (stride[2] == p.Wo || p.Ho == 1);
}

inline void write_places(float* plane, const Places& places, const float* values, int n) {
  if (places.dense) {
    std::copy_n(values, n, plane + places.at[0]);
  } else {
    for (int t = 0; t < n; t++) plane[places.at[t]] = values[t];
  }
}

inline void read_places(const float* plane, const Places& places, float* values, int n) {
  if (places.dense) {
    std::copy_n(plane + places.at[0], n, values);
  } else {
    for (int t = 0; t < n; t++) values[t] = plane[places.at[t]];
  }
}

template <int T>
inline void forward_planar(const Problem& p, const Chunk& chunk, const Window<T>& window, const Places& places) {
  float values[CHUNK], share[CHUNK];
  if (p.padding == Padding::fill) {
    for (int t = 0; t < chunk.n; t++) share[t] = share_outside(window, t);
  }
  const float* plane = p.image.data + chunk.image * p.image.stride[0];
  float* out = p.out.data + chunk.image * p.out.stride[0];
  for (int64_t c = 0; c < p.C; c++, plane += p.image.stride[1], out += p.out.stride[1]) {
    planar_values<T>(plane, window, p.image.stride[2], chunk.n, values);
    if (p.padding == Padding::fill) {
      for (int t = 0; t < chunk.n; t++) values[t] += p.fill[c] * share[t];
    }
    write_places(out, places, values, chunk.n);
  }
}

template <int T>
inline void forward_packed(const Problem& p, const Chunk& chunk, const Window<T>& window, const Places& places) {
  const float* image = p.image.data + chunk.image * p.image.stride[0];
  float* out = p.out.data + chunk.image * p.out.stride[0];
  for (int t = 0; t < chunk.n; t++) {
    Active<T> taps;
    active_taps(window, p.image.stride, false, t, taps);
    const float share = p.padding == Padding::fill ? share_outside(window, t) : 0;
    for (int64_t c = 0; c < p.C; c += BLOCK) {
      const int64_t channels = std::min(BLOCK, p.C - c);
      alignas(32) float values[BLOCK];
      packed_values<T>(image + c, taps, channels, values);
      if (p.padding == Padding::fill) {
        for (int64_t k = 0; k < channels; k++) values[k] += p.fill[c + k] * share;
      }
      float* to = out + places.at[t] + c * p.out.stride[1];
      for (int64_t k = 0; k < channels; k++) to[k * p.out.stride[1]] = values[k];
    }
  }
}

template <int T>
inline void forward_of(const Problem& p) {
  const bool packed = is_packed(p, p.image.stride);
  parallel(p.N * chunks_per_image(p), threads_for(p), [&](int64_t begin, int64_t end) {
    Points points;
    Window<T> window;
    Places places;
    for (int64_t unit = begin; unit < end; unit++) {
      const Chunk chunk = chunk_at(p, unit);
      locate(p, chunk, points);
      window_of(p, points, chunk.n, p.image.stride, packed, false, window);
      places_of(p, chunk, p.out.stride, places);
      if (packed) {
        forward_packed<T>(p, chunk, window, places);
      } else {
        forward_planar<T>(p, chunk, window, places);
      }
    }
  });
}

}  // namespace stnkit::general
