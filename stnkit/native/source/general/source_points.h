// Source points of a chunk of output pixels, in pixels of the image.
#pragma once

namespace stnkit::general {

constexpr int CHUNK = 128;

// Output pixels [start, start + n) of one image, row after row.
struct Chunk {
  int64_t image, start;
  int n;
};

inline int64_t chunks_per_image(const Problem& p) { return (p.Ho * p.Wo + CHUNK - 1) / CHUNK; }

inline Chunk chunk_at(const Problem& p, int64_t unit) {
  const int64_t per_image = chunks_per_image(p), start = unit % per_image * CHUNK;
  return {unit / per_image, start, static_cast<int>(std::min<int64_t>(CHUNK, p.Ho * p.Wo - start))};
}

// In double, so that a source point is that of the float32 matrix up to the rounding of `tap_axis`.
struct Points {
  alignas(64) double x[CHUNK], y[CHUNK];
  alignas(64) double inverse_w[CHUNK];  // of a projective map; 0 behind the horizon
};

// f(first, n, row, column) for the parts of a chunk that lie in one row of the output.
template <class F>
inline void for_rows(const Problem& p, const Chunk& chunk, const F& f) {
  int64_t row = chunk.start / p.Wo, column = chunk.start % p.Wo;
  for (int first = 0; first < chunk.n; row++, column = 0) {
    const int n = static_cast<int>(std::min<int64_t>(chunk.n - first, p.Wo - column));
    f(first, n, row, column);
    first += n;
  }
}

// A matrix between pixel indices: (column, row, 1) ↦ x·w, y·w, w.
struct PixelMap {
  double m[3][3];
  bool fixed[3];  // rows that exceed their bound: constant, without a gradient
};

inline PixelMap pixel_map(const Problem& p, int64_t image) {
  PixelMap map;
  const float* given = p.coordinates + image * p.rows * 3;
  const bool projective = p.rows == 3;
  double rows[3][3] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 1}};
  for (int r = 0; r < 3; r++) {
    map.fixed[r] = false;
    if (r >= p.rows) continue;
    const double bound = projective ? LARGE : OUTSIDE;
    const float limit = static_cast<float>(bound / 3);
    for (int k = 0; k < 3; k++) {
      rows[r][k] = given[3 * r + k];
      if (!(std::fabs(given[3 * r + k]) <= limit)) map.fixed[r] = true;
    }
    if (map.fixed[r]) rows[r][0] = rows[r][1] = 0, rows[r][2] = r == 2 ? -bound : bound;
  }
  const double H = p.H, W = p.W, Ho = p.Ho, Wo = p.Wo, extent[3] = {W, H, 2};
  for (int r = 0; r < 3; r++) {
    // The scale first: at equal sizes it is 1, and the identity gives whole numbers exactly.
    const double half = extent[r] / 2, a = rows[r][0] * (extent[r] / Wo), b = rows[r][1] * (extent[r] / Ho);
    map.m[r][0] = a;
    map.m[r][1] = b;
    map.m[r][2] = a * ((1 - Wo) / 2) + b * ((1 - Ho) / 2) + rows[r][2] * half;
  }
  for (int r = 0; r < 2; r++) {
    for (int k = 0; k < 3; k++) map.m[r][k] += map.m[2][k] * ((extent[r] - 1) / 2);
  }
  return map;
}

// ((c + 1)·n − 1)/2, NaN and what is beyond ±OUTSIDE moved to there. In float32 as torch rounds it, so that the same
// points lie on pixel centers; in double with circular padding, which takes the remainder first.
template <class Real>
inline double grid_pixel(float c, int64_t n) {
  const float bound = static_cast<float>(OUTSIDE);
  const Real finite = c >= -bound ? std::min(c, bound) : c < -bound ? -bound : bound;
  return (finite + 1) * (static_cast<Real>(n) / 2) - static_cast<Real>(0.5);
}

template <class Real>
inline void locate_on_grid(const Problem& p, const Chunk& chunk, Points& points) {
  const float* from = p.coordinates + chunk.image * p.grid_stride[0] + chunk.start * p.grid_stride[1];
  for (int t = 0; t < chunk.n; t++, from += p.grid_stride[1]) {
    points.x[t] = grid_pixel<Real>(from[0], p.W);
    points.y[t] = grid_pixel<Real>(from[p.grid_stride[2]], p.H);
  }
}

// The pixel indices of the coordinates ±OUTSIDE.
inline double farthest(double sign, int64_t n) { return ((sign * OUTSIDE + 1) * static_cast<double>(n) - 1) / 2; }

inline void locate(const Problem& p, const Chunk& chunk, Points& points) {
  if (p.rows == 0) {
    return p.padding == Padding::circular ? locate_on_grid<double>(p, chunk, points)
                                          : locate_on_grid<float>(p, chunk, points);
  }
  const PixelMap map = pixel_map(p, chunk.image);
  const auto& m = map.m;
  for_rows(p, chunk, [&](int first, int n, int64_t row, int64_t column) {
    const double i = static_cast<double>(row), j = static_cast<double>(column);
    const double bx = m[0][1] * i + m[0][2], by = m[1][1] * i + m[1][2], bw = m[2][1] * i + m[2][2];
    double *x = points.x + first, *y = points.y + first, *inverse_w = points.inverse_w + first;
    for (int t = 0; t < n; t++) {
      x[t] = m[0][0] * (j + t) + bx;
      y[t] = m[1][0] * (j + t) + by;
    }
    if (p.rows == 2) return;
    const double x0 = farthest(-1, p.W), x1 = farthest(1, p.W), y0 = farthest(-1, p.H), y1 = farthest(1, p.H);
    for (int t = 0; t < n; t++) {
      const double w = m[2][0] * (j + t) + bw;
      const bool front = w > HORIZON;
      const double inverse = 1 / (front ? w : 1);
      inverse_w[t] = front ? inverse : 0;
      x[t] = front ? std::min(std::max(x[t] * inverse, x0), x1) : x1;
      y[t] = front ? std::min(std::max(y[t] * inverse, y0), y1) : y1;
    }
  });
}

}  // namespace stnkit::general
