// The gradient to the coordinates: to the rows of a matrix, summed over pixels, or to a grid.
#pragma once

namespace stnkit::fast {

// d/df of w0 · u + w1 · v at a rest f, from the right at the kinks; u and v are 0 where their weights are.
STNKIT_INLINE vf slope(vf rest, vf u, vf v) {
  const vf one = set(1), sign = set(-0.);
  u = flip(u, _mm256_andnot_ps(rest, sign));            // −u where rest ≥ 0
  v = flip(v, _mm256_andnot_ps(sub(rest, one), sign));  // −v where rest ≥ 1
  return add(u, v);
}

// The gradient to x and y from the sums over the taps.
STNKIT_INLINE void gradient_of_points(const Sampled& s, int t, const FourTaps& sums, const vf* of_fill, vf& gx,
                                      vf& gy) {
  const vf x = load(s.x + t), y = load(s.y + t), one = set(1);
  vf a = sums.a, b = sums.b, c = sums.c, d = sums.d;
  if (s.inside[t / LANES] == ALL) {
    const vf x0 = sub(one, x), y0 = sub(one, y);
    gx = fma(sub(b, a), y0, mul(sub(d, c), y));
    gy = fma(sub(c, a), x0, mul(sub(d, b), x));
    return;
  }
  const Edge ex(x), ey(y);
  mask_taps(ex, ey, a, b, c, d);  // once for all channels; a gradient that is NaN does not pass as 0 · NaN
  if (of_fill) {  // d(fill · (1 − Σ weights)) = −fill · Σ d(weights), also where Σ weights is 1 for one tap at the border
    const vf whole = both(both(ex.own0, ex.own1), both(ey.own0, ey.own1));
    const vf f = _mm256_andnot_ps(whole, *of_fill);
    vf fa = f, fb = f, fc = f, fd = f;
    mask_taps(ex, ey, fa, fb, fc, fd);
    a = sub(a, fa), b = sub(b, fb), c = sub(c, fc), d = sub(d, fd);
  }
  gx = slope(x, fma(ey.w0, a, mul(ey.w1, c)), fma(ey.w0, b, mul(ey.w1, d)));
  gy = slope(y, fma(ex.w0, a, mul(ex.w1, b)), fma(ex.w0, c, mul(ex.w1, d)));
}

// Sums over a chunk of the gradient to (X, Y, w), each times (j, i, 1).
struct Moments {
  vf sum[9];
  Moments() {
    for (vf& s : sum) s = zero();
  }
  void add_row(int row, vf g, vf j, vf i) {
    sum[3 * row] = fma(g, j, sum[3 * row]);
    sum[3 * row + 1] = fma(g, i, sum[3 * row + 1]);
    sum[3 * row + 2] = add(g, sum[3 * row + 2]);
  }
  // From the first pixel of the chunk to the center of the output.
  void write(const Problem& p, const Chunk& k, double* total) const {
    const double j = double(k.j0) - double(p.Wo - 1) / 2, i = double(k.i0) - double(p.Ho - 1) / 2;
    for (int row = 0; row < 3; row++) {
      const double constant = fast::sum(sum[3 * row + 2]);
      total[3 * row] = fast::sum(sum[3 * row]) + constant * j;
      total[3 * row + 1] = fast::sum(sum[3 * row + 1]) + constant * i;
      total[3 * row + 2] = constant;
    }
  }
};

STNKIT_INLINE vf times_factor(vf g, vf factor) { return both(mul(g, factor), compare<_CMP_ORD_Q>(factor, factor)); }

template <Points POINTS, Fold FOLD>
struct LocateWithFactors {  // those of an affine map without a fold are 1
  static constexpr Locate function = locate<POINTS, FOLD, POINTS != Points::affine || FOLD != Fold::none>;
};

// The gradient to the points of a chunk, as moments of a matrix or as entries of a grid. sums(run, u, t, fill) are the
// sums over the taps of eight points, and of gradient · fill.
template <Points POINTS, class Sums>
STNKIT_INLINE void adjoint_of_points(const Problem& p, const Chunk& k, const Lattice& lattice, const Sampled& s,
                                     const Factors& f, bool factors, const Sums& sums, float* of_grid,
                                     double* total) {
  Moments moments;
  const bool fill = p.padding == Padding::fill;
  for (int run = 0; run < k.runs; run++) {
    for (int u = 0, t = run * k.pitch; u < k.length; u += LANES, t += LANES) {
      const int left = k.length - u;
      vf gx, gy, of_fill;
      const FourTaps taps = sums(run, u, t, of_fill);
      gradient_of_points(s, t, taps, fill ? &of_fill : nullptr, gx, gy);
      // 0 · NaN: nothing of a lane beyond the end of a run.
      if (left < LANES) gx = both(gx, first_lanes(left)), gy = both(gy, first_lanes(left));
      if (factors) gx = times_factor(gx, load(f.x + t)), gy = times_factor(gy, load(f.y + t));
      if (POINTS == Points::grid) {
        store_grid(of_grid + (run * p.Wo + u) * p.grid_stride[1], p.grid_stride, std::min(left, LANES), gx, gy);
        continue;
      }
      const vf j = load(lattice.j + t), i = load(lattice.i + t);
      if (POINTS == Points::projective) {
        const vf inverse = load(f.inverse + t);
        gx = mul(gx, inverse), gy = mul(gy, inverse);
        moments.add_row(2, _mm256_fnmsub_ps(gx, load(f.raw_x + t), mul(gy, load(f.raw_y + t))), j, i);
      }
      moments.add_row(0, gx, j, i);
      moments.add_row(1, gy, j, i);
    }
  }
  if (POINTS != Points::grid) moments.write(p, k, total);
}

inline void coordinates_of(const Problem& p, const Gradients& gradients) {
  const bool is_grid = p.rows == 0;
  const bool factors = p.rows != 2 || folds(p.padding);
  const Source source = source_of(p);
  const Given given = given_of(gradients.of_out);
  const Tiling tiling(p);
  const float* fill = fill_of(p);
  const Locate locate = select<LocateWithFactors>(p);
  // One partial sum for each chunk, added in order: the same bits for any number of threads.
  std::vector<double> partial(is_grid ? 0 : p.N * tiling.count * 9);
  parallel(p.N * tiling.count, p.threads, [&](int64_t begin, int64_t end) {
    const Lattice lattice(tiling);
    const Frame frame(p, source);
    Sampled s;
    Factors f;
    TapSums sums;
    alignas(64) float room[CHUNK + MARGIN];
    std::vector<float> channels(source.planar ? 0 : p.C);
    Map map = map_of(p, begin / tiling.count);
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t n = unit / tiling.count;
      const Chunk k = tiling.chunk(unit % tiling.count);
      locate(p, map, n, k, lattice, frame, s, &f);
      if (unit + 1 < end) {
        const int64_t next = (unit + 1) / tiling.count;
        if (next != n) map = map_of(p, next);
        prefetch(p, source, map, next, tiling.chunk((unit + 1) % tiling.count));
      }
      const float* image = source.data + n * source.batch;
      const auto adjoint = [&](const auto& of_taps) __attribute__((always_inline)) {
        double* total = partial.data() + unit * 9;
        if (is_grid)
          adjoint_of_points<Points::grid>(p, k, lattice, s, f, factors, of_taps,
                                          gradients.of_coordinates + n * p.grid_stride[0] +
                                              (k.i0 * p.Wo + k.j0) * p.grid_stride[1], nullptr);
        else if (p.rows == 2)
          adjoint_of_points<Points::affine>(p, k, lattice, s, f, factors, of_taps, nullptr, total);
        else
          adjoint_of_points<Points::projective>(p, k, lattice, s, f, factors, of_taps, nullptr, total);
      };
      if (source.planar && p.C == 1) {  // no sums in memory
        const Rows g = rows_of(given, n, 0, k, p.Wo, room);
        const auto only = [&](int run, int u, int t, vf& of_fill) __attribute__((always_inline)) {
          if (k.runs > 1 && u == 0) prefetch_below(g.data + run * g.pitch, g.pitch, k.length);
          const vf of_out = load_first(g.data + run * g.pitch + u, k.length - u);
          const FourTaps taps = taps_of(image, source.pitch, s, t);
          if (fill) of_fill = mul(of_out, _mm256_set1_ps(*fill));
          return FourTaps{mul(of_out, taps.a), mul(of_out, taps.b), mul(of_out, taps.c), mul(of_out, taps.d)};
        };
        adjoint(only);
        continue;
      }
      if (source.planar) {
        tap_sums_planar<true>(image, source.pitch, s, k, rows_of(given, n, 0, k, p.Wo, room), fill, sums);
        for (int64_t c = 1; c < p.C; c++)
          tap_sums_planar<false>(image + c * source.channel, source.pitch, s, k, rows_of(given, n, c, k, p.Wo, room),
                                 fill ? fill + c : nullptr, sums);
      } else {
        tap_sums_channels_last(source, image, p.C, s, k, given, n, fill, channels.data(), sums);
      }
      const auto all = [&](int, int, int t, vf& of_fill) __attribute__((always_inline)) {
        if (fill) of_fill = load(sums.fill + t);
        return FourTaps{load(sums.tap[0] + t), load(sums.tap[1] + t), load(sums.tap[2] + t), load(sums.tap[3] + t)};
      };
      adjoint(all);
    }
  });
  if (is_grid) return;
  for (int64_t n = 0; n < p.N; n++) {
    double total[9] = {0};
    for (int64_t c = 0; c < tiling.count; c++)
      for (int m = 0; m < 9; m++) total[m] += partial[(n * tiling.count + c) * 9 + m];
    adjoint_of_map(p, map_of(p, n), total, gradients.of_coordinates + n * p.rows * 3);
  }
}

}  // namespace stnkit::fast
