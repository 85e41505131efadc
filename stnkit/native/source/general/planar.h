// Sums over the taps for one channel at a time: for images whose rows are contiguous, and for any strides.
#pragma once
#include "vectors.h"
#include "taps.h"

namespace stnkit::general {

// Row r of the taps of pixel t: true if any of them is read. Those that are not count 0, also where a pixel is NaN.
template <int T>
inline bool tap_row(const float* plane, const Window<T>& w, int64_t pitch, int t, int r, float* row) {
  if (w.whole[t] != 0) {
    std::copy_n(plane + w.origin[t] + r * pitch, T, row);
    return true;
  }
  const int64_t y = w.y.at[t][r], *x = w.x.at[t];
  if (y < 0) return false;
  for (int k = 0; k < T; k++) row[k] = x[k] < 0 ? 0 : plane[y + x[k]];
  return true;
}

template <int T>
inline void planar_values(const float* plane, const Window<T>& w, int64_t pitch, int n, float* values) {
  for (int t = 0; t < n; t++) {
    if constexpr (T == 2) {
      if (t % 8 == 0 && t + 8 <= n && w.group[t / 8]) {
        Float8 a, b, c, d;
        load_pairs(plane, w.origin + t, a, b);
        load_pairs(plane + pitch, w.origin + t, c, d);
        const Float8 fx = load_vector<Float8>(w.x.fraction + t), fy = load_vector<Float8>(w.y.fraction + t);
        store_vector(values + t, ((1 - fx) * a + fx * b) * (1 - fy) + ((1 - fx) * c + fx * d) * fy);
        t += 7;
        continue;
      }
    }
    if constexpr (T == 4) {
      if (w.whole[t] != 0) {
        const float* from = plane + w.origin[t];
        const float* weight = w.y.weights[t];
        Float4 rows = weight[0] * load_vector<Float4>(from) + weight[1] * load_vector<Float4>(from + pitch);
        rows += weight[2] * load_vector<Float4>(from + 2 * pitch) + weight[3] * load_vector<Float4>(from + 3 * pitch);
        rows *= load_vector<Float4>(w.x.weights[t]);
        values[t] = (rows[0] + rows[1]) + (rows[2] + rows[3]);
        continue;
      }
    }
    float sum[T] = {};
    for (int r = 0; r < T; r++) {
      float row[T];
      if (!tap_row<T>(plane, w, pitch, t, r, row)) continue;
      for (int k = 0; k < T; k++) sum[k] += w.y.weight(t, r) * row[k];
    }
    values[t] = 0;
    for (int k = 0; k < T; k++) values[t] += sum[k] * w.x.weight(t, k);
  }
}

// Sums over the channels: along_x of g · Σ_rows weight · row, along_y of g · Σ_rows slope · row. What is left to do is
// the sum along x. Four taps are beside each other in memory, two are in planes.
template <int T>
struct Slopes {
  alignas(64) float along_x[CHUNK * T], along_y[CHUNK * T];
  static int place(int t, int k) { return T == 4 ? t * T + k : k * CHUNK + t; }
};

inline void add_to(float* sum, Float8 values) { store_vector(sum, load_vector<Float8>(sum) + values); }

template <int T>
inline void add_slopes(const float* plane, const float* g, const Window<T>& w, int64_t pitch, int n, Slopes<T>& to) {
  for (int t = 0; t < n; t++) {
    if constexpr (T == 2) {
      if (t % 8 == 0 && t + 8 <= n && w.group[t / 8]) {
        Float8 a, b, c, d;
        load_pairs(plane, w.origin + t, a, b);
        load_pairs(plane + pitch, w.origin + t, c, d);
        const Float8 fy = load_vector<Float8>(w.y.fraction + t), gs = load_vector<Float8>(g + t);
        const Float8 turned = gs * load_vector<Float8>(w.y.factor + t);
        add_to(to.along_x + t, gs * ((1 - fy) * a + fy * c));
        add_to(to.along_x + CHUNK + t, gs * ((1 - fy) * b + fy * d));
        add_to(to.along_y + t, turned * (c - a));
        add_to(to.along_y + CHUNK + t, turned * (d - b));
        t += 7;
        continue;
      }
    }
    if constexpr (T == 4) {
      if (w.whole[t] != 0) {
        Float4 x = {}, y = {};
        for (int r = 0; r < 4; r++) {
          const Float4 row = load_vector<Float4>(plane + w.origin[t] + r * pitch);
          x += w.y.weight(t, r) * row;
          y += w.y.slope(t, r) * row;
        }
        store_vector(to.along_x + 4 * t, load_vector<Float4>(to.along_x + 4 * t) + g[t] * x);
        store_vector(to.along_y + 4 * t, load_vector<Float4>(to.along_y + 4 * t) + g[t] * y);
        continue;
      }
    }
    float x[T] = {}, y[T] = {};
    for (int r = 0; r < T; r++) {
      float row[T];
      if (!tap_row<T>(plane, w, pitch, t, r, row)) continue;
      for (int k = 0; k < T; k++) {
        x[k] += w.y.weight(t, r) * row[k];
        y[k] += w.y.slope(t, r) * row[k];
      }
    }
    for (int k = 0; k < T; k++) {
      to.along_x[to.place(t, k)] += g[t] * x[k];
      to.along_y[to.place(t, k)] += g[t] * y[k];
    }
  }
}

// The share of output pixel t in the gradient of the image.
template <int T>
inline void scatter_pixel(float* plane, float g, const Window<T>& w, int64_t pitch, int t) {
  float row[T];
  for (int k = 0; k < T; k++) row[k] = g * w.x.weight(t, k);
  for (int r = 0; r < T; r++) {
    const float weight = w.y.weight(t, r);
    if (w.whole[t] != 0) {
      float* to = plane + w.origin[t] + r * pitch;
      if constexpr (T == 4) {
        store_vector(to, load_vector<Float4>(to) + weight * load_vector<Float4>(row));
      } else {
        for (int k = 0; k < T; k++) to[k] += weight * row[k];
      }
    } else if (w.y.at[t][r] >= 0) {
      for (int k = 0; k < T; k++) {
        if (w.x.at[t][k] >= 0) plane[w.y.at[t][r] + w.x.at[t][k]] += weight * row[k];
      }
    }
  }
}

// The adjoint of `planar_values` in the image.
template <int T>
inline void planar_scatter(float* plane, const float* g, const Window<T>& w, int64_t pitch, int n) {
  for_every_8th(n, [&](int t) { scatter_pixel(plane, g[t], w, pitch, t); });
}

}  // namespace stnkit::general
