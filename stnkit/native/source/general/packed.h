// Sums over the taps of one pixel for all channels together: for images whose channels are contiguous.
#pragma once

#include "vectors.h"
#include "taps.h"

namespace stnkit::general {

// The taps of one pixel that read something, with the derivatives of their weight if the window has slopes.
template <int T>
struct Active {
  int n;
  int64_t at[T * T];
  float weight[T * T], along_x[T * T], along_y[T * T];
};

template <int T>
inline void add_tap(const Window<T>& w, bool slopes, int t, int r, int k, int64_t at, int to, Active<T>& taps) {
  taps.at[to] = at;
  taps.weight[to] = w.y.weight(t, r) * w.x.weight(t, k);
  if (slopes) {
    taps.along_x[to] = w.y.weight(t, r) * w.x.slope(t, k);
    taps.along_y[to] = w.y.slope(t, r) * w.x.weight(t, k);
  }
}

template <int T>
inline void active_taps(const Window<T>& w, const int64_t* stride, bool slopes, int t, Active<T>& taps) {
  if (w.whole[t] != 0) {
    for (int r = 0; r < T; r++) {
      const int64_t row = w.origin[t] + r * stride[2];
      for (int k = 0; k < T; k++) add_tap(w, slopes, t, r, k, row + k * stride[3], r * T + k, taps);
    }
    taps.n = T * T;
    return;
  }
  taps.n = 0;
  for (int r = 0; r < T; r++) {
    for (int k = 0; k < T; k++) {
      const int64_t x = w.x.at[t][k], y = w.y.at[t][r];
      if (x >= 0 && y >= 0) add_tap(w, slopes, t, r, k, y + x, taps.n++, taps);
    }
  }
}

// values[c] = Σ_taps weight · pixel[c], in a buffer that is a multiple of 8 long.
template <int T>
inline void packed_values(const float* image, const Active<T>& taps, int64_t channels, float* values) {
  int64_t c = 0;
  for (; c + 8 <= channels; c += 8) {
    Float8 sum = {};
    for (int m = 0; m < taps.n; m++) sum += taps.weight[m] * load_vector<Float8>(image + taps.at[m] + c);
    store_vector(values + c, sum);
  }
  if (c == channels) return;
  const int rest = static_cast<int>(channels - c);
  Float8 sum = {};
  for (int m = 0; m < taps.n; m++) sum += taps.weight[m] * load_some(image + taps.at[m] + c, rest);
  store_vector(values + c, sum);
}

inline float sum_lanes(Float8 v) { return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])); }

// x and y += Σ_c g[c] · Σ_taps slope · pixel[c]
template <int T>
inline void add_packed_slopes(const float* image, const Active<T>& taps, const float* g, int64_t channels,
                              float& x, float& y) {
  Float8 along_x = {}, along_y = {};
  for (int64_t c = 0; c < channels; c += 8) {
    const int rest = static_cast<int>(std::min<int64_t>(8, channels - c));
    Float8 sum_x = {}, sum_y = {};
    for (int m = 0; m < taps.n; m++) {
      const float* from = image + taps.at[m] + c;
      const Float8 pixel = rest == 8 ? load_vector<Float8>(from) : load_some(from, rest);
      sum_x += taps.along_x[m] * pixel;
      sum_y += taps.along_y[m] * pixel;
    }
    const Float8 gs = rest == 8 ? load_vector<Float8>(g + c) : load_some(g + c, rest);
    along_x += gs * sum_x;
    along_y += gs * sum_y;
  }
  x += sum_lanes(along_x);
  y += sum_lanes(along_y);
}

// The adjoint of `packed_values` in the image.
template <int T>
inline void packed_scatter(float* image, const Active<T>& taps, const float* g, int64_t channels) {
  for (int m = 0; m < taps.n; m++) {
    float* to = image + taps.at[m];
    int64_t c = 0;
    for (; c + 8 <= channels; c += 8) {
      store_vector(to + c, load_vector<Float8>(to + c) + taps.weight[m] * load_vector<Float8>(g + c));
    }
    if (c == channels) continue;
    const int rest = static_cast<int>(channels - c);
    store_some(to + c, load_some(to + c, rest) + taps.weight[m] * load_some(g + c, rest), rest);
  }
}

}  // namespace stnkit::general
