// The taps of one axis: the pixels under the kernel, their weights, and the derivatives of these.
#pragma once

#include "vectors.h"
#include "source_points.h"

namespace stnkit::general {

// Keys' kernel at the distances 1 + f, f, 1 − f and 2 − f, as polynomials of the fraction f.
struct Keys {
  Float4 constant, linear, square, cubic;
  explicit Keys(float a)
      : constant{0, 1, 0, 0}, linear{a, 0, -a, 0}, square{-2 * a, -a - 3, 2 * a + 3, a}, cubic{a, a + 2, -a - 2, -a} {}
};

// The pixel of n that stands for `index`, −1 for none. The order is that of stnkit.samplers.padding.
inline int64_t padded_index(int64_t index, int64_t n, Padding padding) {
  if (index >= 0 && index < n) return index;
  switch (padding) {
    case Padding::border:
      return index < 0 ? 0 : n - 1;
    case Padding::reflection: {
      const int64_t folded = (index % (2 * n) + 2 * n) % (2 * n);
      return std::min(folded, 2 * n - 1 - folded);
    }
    case Padding::mirror: {
      const int64_t period = std::max<int64_t>(2 * n - 2, 1), folded = (index % period + period) % period;
      return std::min(folded, period - folded);
    }
    case Padding::circular:
      return (index % n + n) % n;
    default:
      return -1;
  }
}

inline double remainder_of(double x, double period) {
  const double r = x - std::floor(x / period) * period;
  return r < 0 ? r + period : r;
}

// Source coordinates after what the padding does to them, rounded to float32, and the factor of the derivative.
template <int T>
inline void pad_coordinates(const double* x, int count, double n, Padding padding, double* to, float* factor) {
  for (int t = 0; t < count; t++) factor[t] = 1;
  const double mirrors = std::max(2 * n - 2, 1.0);  // of one pixel all points are clipped to its center
  if (padding == Padding::circular) {
    for (int t = 0; t < count; t++) to[t] = static_cast<float>(remainder_of(x[t], n));
  } else if (padding == Padding::reflection && T == 4) {
    for (int t = 0; t < count; t++) to[t] = static_cast<float>(remainder_of(x[t], 2 * n));
  } else if (padding == Padding::mirror && T == 4) {
    for (int t = 0; t < count; t++) to[t] = static_cast<float>(remainder_of(x[t], mirrors));
  } else if (padding == Padding::mirror) {
    for (int t = 0; t < count; t++) {
      const double folded = remainder_of(x[t], mirrors);
      const bool back = folded > n - 1;
      to[t] = static_cast<float>(back ? mirrors - folded : folded);
      factor[t] = back ? -1.0f : 1.0f;
    }
  } else if (padding == Padding::reflection) {
    for (int t = 0; t < count; t++) {
      // About the edges −½ and n − ½.
      const double folded = remainder_of(x[t] + 0.5, 2 * n);
      const bool back = folded > n;
      to[t] = static_cast<float>((back ? 2 * n - folded : folded) - 0.5);
      factor[t] = back ? -1.0f : 1.0f;
    }
  } else {
    // Beyond the support nothing changes any more.
    for (int t = 0; t < count; t++) to[t] = static_cast<float>(std::min(std::max(x[t], -1.0 * T), n + T - 1));
  }
  if (T == 2 && folds(padding)) {
    for (int t = 0; t < count; t++) {
      factor[t] = to[t] > 0 && to[t] < n - 1 ? factor[t] : 0;
      to[t] = std::min(std::max(to[t], 0.0), n - 1);
    }
  }
}

// The taps of a chunk. Those of a pixel are whole if all lie in the image, in T rows of T beside each other.
template <int T>
struct Window {
  struct Axis {
    alignas(64) double first[CHUNK];  // index of the first tap
    alignas(64) float fraction[CHUNK], factor[CHUNK];
    alignas(64) float weights[CHUNK][4], slopes[CHUNK][4];  // of four taps
    int64_t at[CHUNK][T];  // offset of the pixel where the taps are not whole; negative: nothing is read

    float weight(int t, int k) const {
      if constexpr (T == 4) return weights[t][k];
      return k == 0 ? 1 - fraction[t] : fraction[t];
    }
    float slope(int t, int k) const {
      if constexpr (T == 4) return slopes[t][k];
      return k == 0 ? -factor[t] : factor[t];
    }
  };
  Axis x, y;
  alignas(64) int64_t origin[CHUNK];  // offset of the first tap where the taps are whole
  alignas(64) double whole[CHUNK];    // 1 or 0
  bool group[CHUNK / 8];              // 8 pixels are whole
};

template <int T>
inline void tap_axis(const double* x, int count, int64_t n, const Problem& p, bool slopes,
                     typename Window<T>::Axis& axis) {
  alignas(64) double at[CHUNK];
  pad_coordinates<T>(x, count, static_cast<double>(n), p.padding, at, axis.factor);
  for (int t = 0; t < count; t++) {
    const double base = std::floor(at[t]);
    axis.first[t] = base - (T / 2 - 1);
    axis.fraction[t] = static_cast<float>(at[t] - base);
  }
  if constexpr (T == 4) {
    const Keys keys(p.a);
    for (int t = 0; t < count; t++) {
      const float f = axis.fraction[t];
      store_vector(axis.weights[t], ((keys.cubic * f + keys.square) * f + keys.linear) * f + keys.constant);
      if (slopes) store_vector(axis.slopes[t], (3 * keys.cubic * f + 2 * keys.square) * f + keys.linear);
    }
  }
}

template <int T>
inline void index_axis(int t, int64_t n, int64_t stride, Padding beyond, typename Window<T>::Axis& axis) {
  const int64_t first = static_cast<int64_t>(axis.first[t]);
  for (int k = 0; k < T; k++) {
    const int64_t index = padded_index(first + k, n, beyond);
    axis.at[t][k] = index < 0 ? -1 : index * stride;
  }
}

// A whole number below 2⁵¹ as an integer: AVX2 has no instruction for 64 bits.
inline int64_t to_integer(double whole) {
  const double shifted = whole + 0x1.8p52;
  int64_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4338000000000000;
}

// The taps in an image of these strides. Pixels in rows with gaps are not whole, unless all channels are read together.
template <int T>
inline void window_of(const Problem& p, const Points& points, int n, const int64_t* stride, bool packed,
                      bool slopes, Window<T>& w) {
  tap_axis<T>(points.x, n, p.W, p, slopes, w.x);
  tap_axis<T>(points.y, n, p.H, p, slopes, w.y);
  const double column = static_cast<double>(stride[3]), row = static_cast<double>(stride[2]);
  const double last_x = packed || stride[3] == 1 ? static_cast<double>(p.W - T) : -1.0;
  const double last_y = static_cast<double>(p.H - T);
  int found = 0;
  for (int t = 0; t < n; t++) {
    const double x = w.x.first[t], y = w.y.first[t];
    w.origin[t] = to_integer(y * row + x * column);
    w.whole[t] = (x >= 0) & (x <= last_x) & (y >= 0) & (y <= last_y) ? 1.0 : 0.0;
  }
  for (int t = 0; t < n; t++) found += w.whole[t] != 0;
  for (int t = 0; t + 8 <= n; t += 8) {
    double sum = 0;
    for (int k = 0; k < 8; k++) sum += w.whole[t + k];
    w.group[t / 8] = sum == 8;
  }
  if (found == n) return;
  // Bilinear taps beyond the clipped coordinate have no weight: they are not read, as in torch.
  const bool clipped = T == 2 && folds(p.padding);
  const Padding beyond = clipped ? Padding::zeros : p.padding;
  for (int t = 0; t < n; t++) {
    if (w.whole[t] != 0) continue;
    index_axis<T>(t, p.W, stride[3], beyond, w.x);
    index_axis<T>(t, p.H, stride[2], beyond, w.y);
  }
}

// f(t) for every 8th pixel in turn: neighbors add to the same elements of an image, and would wait for each other.
template <class F>
inline void for_every_8th(int n, const F& f) {
  for (int first = 0; first < 8; first++) {
    for (int t = first; t < n; t += 8) f(t);
  }
}

// Sums over the taps of one axis that read a pixel.
struct Inside {
  float weight = 0, slope = 0;
};

template <int T>
inline Inside sum_inside(const typename Window<T>::Axis& axis, int t, bool slopes) {
  Inside sum;
  for (int k = 0; k < T; k++) {
    if (axis.at[t][k] < 0) continue;
    sum.weight += axis.weight(t, k);
    if (slopes) sum.slope += axis.slope(t, k);
  }
  return sum;
}

// The share of the weights outside of the image: 0 inside, and not only up to rounding.
template <int T>
inline float share_outside(const Window<T>& w, int t) {
  if (w.whole[t] != 0) return 0;
  const float share = 1 - sum_inside<T>(w.x, t, false).weight * sum_inside<T>(w.y, t, false).weight;
  return std::fabs(share) < 64 * 0x1p-23f ? 0 : share;
}

}  // namespace stnkit::general
