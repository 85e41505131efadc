// The gradient to the coordinates of every Problem, in an order of summation that depends on the shapes alone.
#pragma once

#include "forward.h"

namespace stnkit::general {

// The gradient to the source points of a chunk, in pixels.
struct PointGradients {
  alignas(64) float x[CHUNK], y[CHUNK];
};

template <int T>
inline void slopes_planar(const Problem& p, const Image& of_out, const Chunk& chunk, const Window<T>& window,
                          const Places& places, PointGradients& to) {
  Slopes<T> slopes;
  float g[CHUNK];
  std::fill_n(slopes.along_x, CHUNK * T, 0.0f);
  std::fill_n(slopes.along_y, CHUNK * T, 0.0f);
  const float* plane = p.image.data + chunk.image * p.image.stride[0];
  const float* given = of_out.data + chunk.image * of_out.stride[0];
  for (int64_t c = 0; c < p.C; c++, plane += p.image.stride[1], given += of_out.stride[1]) {
    read_places(given, places, g, chunk.n);
    add_slopes<T>(plane, g, window, p.image.stride[2], chunk.n, slopes);
  }
  for (int t = 0; t < chunk.n; t++) {
    to.x[t] = to.y[t] = 0;
    for (int k = 0; k < T; k++) {
      to.x[t] += slopes.along_x[slopes.place(t, k)] * window.x.slope(t, k);
      to.y[t] += slopes.along_y[slopes.place(t, k)] * window.x.weight(t, k);
    }
  }
}

template <int T>
inline void slopes_packed(const Problem& p, const Image& of_out, const Chunk& chunk, const Window<T>& window,
                          const Places& places, PointGradients& to) {
  const float* image = p.image.data + chunk.image * p.image.stride[0];
  const float* given = of_out.data + chunk.image * of_out.stride[0];
  for (int t = 0; t < chunk.n; t++) {
    Active<T> taps;
    active_taps(window, p.image.stride, true, t, taps);
    to.x[t] = to.y[t] = 0;
    for (int64_t c = 0; c < p.C; c += BLOCK) {
      const int64_t channels = std::min(BLOCK, p.C - c);
      alignas(32) float g[BLOCK];
      const float* from = given + places.at[t] + c * of_out.stride[1];
      for (int64_t k = 0; k < channels; k++) g[k] = from[k * of_out.stride[1]];
      add_packed_slopes<T>(image + c, taps, g, channels, to.x[t], to.y[t]);
    }
  }
}

// The part of the fill value: V contains f · (1 − Σ weights). Where a value is that of a border pixel alone, so that the
// share outside is 0, its slope is not.
template <int T>
inline void add_fill_slopes(const Problem& p, const Image& of_out, const Chunk& chunk, const Window<T>& window,
                            const Places& places, PointGradients& to) {
  const float* given = of_out.data + chunk.image * of_out.stride[0];
  for (int t = 0; t < chunk.n; t++) {
    if (window.whole[t] != 0) continue;
    float sum = 0;
    for (int64_t c = 0; c < p.C; c++) sum += p.fill[c] * given[places.at[t] + c * of_out.stride[1]];
    const Inside x = sum_inside<T>(window.x, t, true), y = sum_inside<T>(window.y, t, true);
    to.x[t] -= sum * x.slope * y.weight;
    to.y[t] -= sum * x.weight * y.slope;
  }
}

inline void write_grid_gradient(const Problem& p, const Chunk& chunk, const PointGradients& g, float* to) {
  const int64_t start = chunk.image * p.grid_stride[0] + chunk.start * p.grid_stride[1];
  const float bound = static_cast<float>(OUTSIDE);
  const float wide = static_cast<float>(p.W) / 2, high = static_cast<float>(p.H) / 2;
  for (int t = 0; t < chunk.n; t++) {
    const int64_t x = start + t * p.grid_stride[1], y = x + p.grid_stride[2];
    to[x] = std::fabs(p.coordinates[x]) <= bound ? g.x[t] * wide : 0;
    to[y] = std::fabs(p.coordinates[y]) <= bound ? g.y[t] * high : 0;
  }
}

// Turns g, of the source points, into that of the numerators, and returns that of w. Behind the horizon, and where the
// quotient was clamped, nothing moves; a NaN must not get through either.
inline void divide_gradient(const Problem& p, int n, const Points& points, double* gx, double* gy, double* gw) {
  const double x0 = farthest(-1, p.W), x1 = farthest(1, p.W), y0 = farthest(-1, p.H), y1 = farthest(1, p.H);
  const double cx = (static_cast<double>(p.W) - 1) / 2, cy = (static_cast<double>(p.H) - 1) / 2;
  for (int t = 0; t < n; t++) {
    const double x = points.x[t], y = points.y[t], inverse = points.inverse_w[t];
    const bool along_x = inverse > 0 && x > x0 && x < x1, along_y = inverse > 0 && y > y0 && y < y1;
    gx[t] = along_x ? gx[t] * inverse : 0;
    gy[t] = along_y ? gy[t] * inverse : 0;
    gw[t] = (along_x ? gx[t] * (cx - x) : 0) + (along_y ? gy[t] * (cy - y) : 0);
  }
}

typedef double Double4 __attribute__((vector_size(32)));

// Σ g and Σ g · column, in four sums each: one would wait for itself.
inline void sum_columns(const double* g, int n, double column, double& plain, double& weighted) {
  Double4 sums = {}, products = {}, columns = {column, column + 1, column + 2, column + 3};
  int t = 0;
  for (; t + 4 <= n; t += 4, columns += 4.0) {
    Double4 values;
    std::memcpy(&values, g + t, sizeof values);
    sums += values;
    products += values * columns;
  }
  plain = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  weighted = (products[0] + products[1]) + (products[2] + products[3]);
  for (; t < n; t++) {
    plain += g[t];
    weighted += g[t] * (column + t);
  }
}

// Σ g · (column, row, 1) over a chunk for each row of the matrix, with g of the numerators and of w in pixels.
inline void moments_of(const Problem& p, const Chunk& chunk, const Points& points, const PointGradients& gradients,
                       double* moments) {
  alignas(64) double g[3][CHUNK];
  for (int t = 0; t < chunk.n; t++) g[0][t] = gradients.x[t];
  for (int t = 0; t < chunk.n; t++) g[1][t] = gradients.y[t];
  if (p.rows == 3) divide_gradient(p, chunk.n, points, g[0], g[1], g[2]);
  std::fill_n(moments, 9, 0.0);
  for_rows(p, chunk, [&](int first, int n, int64_t row, int64_t column) {
    for (int r = 0; r < p.rows; r++) {
      double plain, weighted;
      sum_columns(g[r] + first, n, static_cast<double>(column), plain, weighted);
      moments[3 * r] += weighted;
      moments[3 * r + 1] += plain * static_cast<double>(row);
      moments[3 * r + 2] += plain;
    }
  });
}

// From moments in pixel indices to the gradient of one matrix.
inline void write_matrix_gradient(const Problem& p, int64_t image, const double* m, float* to) {
  const PixelMap map = pixel_map(p, image);
  // At least 1: the gradient of an empty output is 0.
  const double Ho = std::max(static_cast<double>(p.Ho), 1.0), Wo = std::max(static_cast<double>(p.Wo), 1.0);
  const double half[3] = {static_cast<double>(p.W) / 2, static_cast<double>(p.H) / 2, 1};
  for (int r = 0; r < p.rows; r++) {
    const double scale = map.fixed[r] ? 0 : half[r];
    const double* s = m + 3 * r;
    const double g[3] = {(2 * s[0] + s[2] * (1 - Wo)) / Wo, (2 * s[1] + s[2] * (1 - Ho)) / Ho, s[2]};
    float* row = to + 3 * (image * p.rows + r);
    for (int k = 0; k < 3; k++) row[k] = map.fixed[r] ? 0 : static_cast<float>(g[k] * scale);
  }
}

template <int T>
inline void coordinate_gradient(const Problem& p, const Gradients& gradients) {
  const Image& of_out = gradients.of_out;
  const int64_t per_image = chunks_per_image(p);
  std::vector<double> moments(p.rows == 0 ? 0 : p.N * per_image * 9);
  const bool packed = is_packed(p, p.image.stride);
  parallel(p.N * per_image, threads_for(p), [&](int64_t begin, int64_t end) {
    Points points;
    Window<T> window;
    Places places;
    PointGradients g;
    for (int64_t unit = begin; unit < end; unit++) {
      const Chunk chunk = chunk_at(p, unit);
      locate(p, chunk, points);
      window_of(p, points, chunk.n, p.image.stride, packed, true, window);
      places_of(p, chunk, of_out.stride, places);
      if (packed) {
        slopes_packed<T>(p, of_out, chunk, window, places, g);
      } else {
        slopes_planar<T>(p, of_out, chunk, window, places, g);
      }
      if (p.padding == Padding::fill) add_fill_slopes<T>(p, of_out, chunk, window, places, g);
      if (p.rows == 0) {
        write_grid_gradient(p, chunk, g, gradients.of_coordinates);
      } else {
        moments_of(p, chunk, points, g, &moments[unit * 9]);
      }
    }
  });
  if (p.rows == 0) return;
  for (int64_t image = 0; image < p.N; image++) {
    double sum[9] = {};
    for (int64_t unit = image * per_image; unit < (image + 1) * per_image; unit++) {
      for (int a = 0; a < 9; a++) sum[a] += moments[unit * 9 + a];
    }
    write_matrix_gradient(p, image, sum, gradients.of_coordinates);
  }
}

}  // namespace stnkit::general
