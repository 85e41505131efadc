// Source points in pixels: of the rows of a matrix, or of a grid; and the adjoint of each.
#pragma once

namespace stnkit::fast {

enum class Points : int { affine, projective, grid };


// (X, Y, w) = m · (j − (Wo − 1)/2, i − (Ho − 1)/2, 1) at pixel (i, j) of the output. The source is at (X, Y), or for
// three rows at (X, Y) / w from the center of the image. About the center, as normalized coordinates are: rounding
// errors of a steep map are then not larger than theirs.
struct Map {
  double m[9];
  bool constant[3];  // rows that are exchanged for a constant: they have no gradient
};

inline Map map_of(const Problem& p, int64_t n) {
  Map map = {};
  if (p.rows == 0) return map;
  double rows[3][3] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 1}};
  const bool affine = p.rows == 2;
  for (int a = 0; a < 3; a++) {
    map.constant[a] = false;
    if (a >= p.rows) continue;
    const float limit = static_cast<float>((affine ? OUTSIDE : LARGE) / 3);
    const float* given = p.coordinates + (n * p.rows + a) * 3;
    for (int b = 0; b < 3; b++) {
      rows[a][b] = given[b];
      if (!(std::fabs(given[b]) <= limit)) map.constant[a] = true;  // NaN included
    }
    if (map.constant[a]) {
      rows[a][0] = rows[a][1] = 0;
      rows[a][2] = affine ? OUTSIDE : a < 2 ? LARGE : -LARGE;
    }
  }
  // The ratio of the sizes first: at equal sizes the identity is then exact.
  const double size[2] = {double(p.W), double(p.H)}, out[2] = {double(p.Wo), double(p.Ho)};
  for (int a = 0; a < 2; a++) {
    for (int b = 0; b < 2; b++) map.m[3 * a + b] = rows[a][b] * (size[a] / out[b]);
    map.m[3 * a + 2] = rows[a][2] * (size[a] / 2) + (affine ? (size[a] - 1) / 2 : 0);
  }
  for (int b = 0; b < 2; b++) map.m[6 + b] = rows[2][b] * (2 / out[b]);
  map.m[8] = rows[2][2];
  return map;
}

// The gradient to the entries of a matrix from that to m: the adjoint of map_of.
inline void adjoint_of_map(const Problem& p, const Map& map, const double* g, float* of_rows) {
  const double size[3] = {double(p.W), double(p.H), 2}, out[2] = {double(p.Wo), double(p.Ho)};
  for (int a = 0; a < p.rows; a++) {
    const double scale[3] = {size[a] / out[0], size[a] / out[1], size[a] / 2};
    for (int b = 0; b < 3; b++)
      of_rows[3 * a + b] = map.constant[a] ? 0.f : static_cast<float>(g[3 * a + b] * scale[b]);
  }
}

// Constants of the points of a chunk that starts at pixel (i0, j0) of the output.
struct Local {
  vf m[9], j, i;                 // j, i: of its first pixel, from the center; exact
  vf low[2], high[2], half[2];   // ±OUTSIDE in pixels, from the center of the image; size / 2
  vf center[2];                  // (size − 1) / 2

  Local(const Problem& p, const Map& map, int64_t i0, int64_t j0)
      : j(set(double(j0) - double(p.Wo - 1) / 2)), i(set(double(i0) - double(p.Ho - 1) / 2)) {
    for (int a = 0; a < 9; a++) m[a] = set(map.m[a]);
    const double size[2] = {double(p.W), double(p.H)};
    for (int a = 0; a < 2; a++) {
      low[a] = set(-OUTSIDE * (size[a] / 2));
      high[a] = set(OUTSIDE * (size[a] / 2));
      center[a] = set((size[a] - 1) / 2);
      half[a] = set(size[a] / 2);
    }
  }
};

// Source points of eight pixels, and factors of their gradient.
struct Eight {
  vf x, y;            // after the padding of coordinates
  vf raw_x, raw_y;    // quotients of a projective map, from the center of the image
  vf inverse;         // 1 / w, 0 behind the horizon
  vf factor_x, factor_y;  // derivatives of x, y by the quotient or the grid's entry; NaN: no gradient at all
};

STNKIT_INLINE vf sum_of(const vf* m, vf j, vf i) { return fma(m[0], j, fma(m[1], i, m[2])); }

template <bool FACTORS>
STNKIT_INLINE void affine_points(const Local& local, vf j, vf i, Eight& e) {
  j = add(j, local.j), i = add(i, local.i);
  e.x = sum_of(local.m, j, i);
  e.y = sum_of(local.m + 3, j, i);
  if (FACTORS) e.factor_x = e.factor_y = set(1);
}

// `factor` where low ≤ a ≤ high, else NaN: a gradient of NaN at a point that is clamped must not pass as 0 · NaN.
STNKIT_INLINE vf factor_within(vf factor, vf a, vf low, vf high) {
  return where(both(compare<_CMP_GE_OQ>(a, low), compare<_CMP_LE_OQ>(a, high)), factor, set(NAN));
}

template <bool FACTORS>
STNKIT_INLINE void projective_points(const Local& local, vf j, vf i, Eight& e) {
  j = add(j, local.j), i = add(i, local.i);
  const vf w = sum_of(local.m + 6, j, i), front = compare<_CMP_GT_OQ>(w, set(HORIZON));
  e.inverse = both(_mm256_div_ps(set(1), w), front);
  const vf x = where(front, mul(sum_of(local.m, j, i), e.inverse), local.high[0]);
  const vf y = where(front, mul(sum_of(local.m + 3, j, i), e.inverse), local.high[1]);
  e.raw_x = min(max(x, local.low[0]), local.high[0]);
  e.raw_y = min(max(y, local.low[1]), local.high[1]);
  e.x = add(e.raw_x, local.center[0]);
  e.y = add(e.raw_y, local.center[1]);
  if (FACTORS) {
    const vf factor = where(front, set(1), set(NAN));
    e.factor_x = factor_within(factor, x, local.low[0], local.high[0]);
    e.factor_y = factor_within(factor, y, local.low[1], local.high[1]);
  }
}

// x and y of n ≤ 8 pixels of a grid.
STNKIT_INLINE void load_grid(const float* g, const int64_t* stride, int n, vf& x, vf& y) {
  if (stride[1] == 1) {
    x = load_first(g, n);
    y = load_first(g + stride[2], n);
  } else if (stride[1] == 2 && stride[2] == 1) {
    const vf a = load_first(g, 2 * n), b = n > 4 ? load_first(g + 8, 2 * n - 8) : zero();
    const vf low = _mm256_permute2f128_ps(a, b, 0x20), high = _mm256_permute2f128_ps(a, b, 0x31);
    x = _mm256_shuffle_ps(low, high, 0x88);
    y = _mm256_shuffle_ps(low, high, 0xdd);
  } else {
    alignas(32) float of_x[LANES] = {0}, of_y[LANES] = {0};
    for (int t = 0; t < n; t++) {
      of_x[t] = g[t * stride[1]];
      of_y[t] = g[t * stride[1] + stride[2]];
    }
    x = load(of_x);
    y = load(of_y);
  }
}

STNKIT_INLINE void store_grid(float* g, const int64_t* stride, int n, vf x, vf y) {
  if (stride[1] == 1) {
    store_first(g, x, n);
    store_first(g + stride[2], y, n);
  } else if (stride[1] == 2 && stride[2] == 1) {
    const vf low = _mm256_unpacklo_ps(x, y), high = _mm256_unpackhi_ps(x, y);
    store_first(g, _mm256_permute2f128_ps(low, high, 0x20), 2 * n);
    if (n > 4) store_first(g + 8, _mm256_permute2f128_ps(low, high, 0x31), 2 * n - 8);
  } else {
    alignas(32) float of_x[LANES], of_y[LANES];
    store(of_x, x);
    store(of_y, y);
    for (int t = 0; t < n; t++) {
      g[t * stride[1]] = of_x[t];
      g[t * stride[1] + stride[2]] = of_y[t];
    }
  }
}

template <bool FACTORS>
STNKIT_INLINE void grid_points(const Local& local, vf x, vf y, Eight& e) {
  const vf low = set(-OUTSIDE), high = set(OUTSIDE), one = set(1), half = set(.5);
  if (FACTORS) {
    e.factor_x = factor_within(local.half[0], x, low, high);
    e.factor_y = factor_within(local.half[1], y, low, high);
  }
  // In torch's order, so that points of a grid fall on the same side of a pixel center; min moves NaN to OUTSIDE.
  e.x = _mm256_fmsub_ps(add(max(min(x, high), low), one), local.half[0], half);
  e.y = _mm256_fmsub_ps(add(max(min(y, high), low), one), local.half[1], half);
}

}  // namespace stnkit::fast
