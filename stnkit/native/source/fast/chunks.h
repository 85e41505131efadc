// The output in chunks of at most CHUNK pixels, and a loop over their source points.
#pragma once

namespace stnkit::fast {

constexpr int CHUNK = 1024, MARGIN = 16, TILE_WIDTH = 64;

// `rows` × `columns` pixels from (i0, j0): whole rows of a narrow output, one after the other, or a tile of a wide one,
// so that few pages and lines of the image are open at a time, whatever the map. In the chunk's arrays there are `runs`
// of `length` pixels, `pitch` apart.
struct Chunk {
  int64_t i0, j0;
  int rows, columns, runs, length, pitch;
};

struct Tiling {
  int64_t Ho, Wo, per_row, count;
  int rows, columns;
  bool wide;

  explicit Tiling(const Problem& p) : Ho(p.Ho), Wo(p.Wo), wide(p.Wo > 2 * TILE_WIDTH) {
    if (wide) {
      per_row = (Wo + TILE_WIDTH - 1) / TILE_WIDTH;
      columns = static_cast<int>((Wo + per_row - 1) / per_row + LANES - 1) / LANES * LANES;
      per_row = (Wo + columns - 1) / columns;
      rows = CHUNK / TILE_WIDTH;
    } else {
      per_row = 1;
      columns = static_cast<int>(Wo);
      rows = CHUNK / columns;
    }
    count = (Ho + rows - 1) / rows * per_row;
  }

  Chunk chunk(int64_t c) const {
    Chunk k;
    k.i0 = c / per_row * rows;
    k.j0 = c % per_row * columns;
    k.rows = static_cast<int>(std::min<int64_t>(rows, Ho - k.i0));
    k.columns = static_cast<int>(std::min<int64_t>(columns, Wo - k.j0));
    k.runs = wide ? k.rows : 1;
    k.length = wide ? k.columns : k.rows * k.columns;
    k.pitch = wide ? columns : k.length;
    return k;
  }
};

// Column and row within a chunk, as floats.
struct Lattice {
  alignas(64) float j[CHUNK + MARGIN], i[CHUNK + MARGIN];

  explicit Lattice(const Tiling& tiling) {
    const int64_t rows = std::min<int64_t>(tiling.rows, tiling.Ho), n = rows * tiling.columns;
    int row = 0, column = 0;
    for (int t = 0; t < n + LANES; t++) {
      j[t] = static_cast<float>(column);
      i[t] = static_cast<float>(row);
      if (++column == tiling.columns) column = 0, row++;
    }
  }
};

// The source of pixel (i, j), near enough to prefetch.
STNKIT_INLINE void approximate_point(const Problem& p, const Map& map, int64_t n, int64_t i, int64_t j, float& x,
                                     float& y) {
  if (p.rows == 0) {
    const float* g = p.coordinates + n * p.grid_stride[0] + (i * p.Wo + j) * p.grid_stride[1];
    x = (g[0] + 1) * .5f * float(p.W);
    y = (g[p.grid_stride[2]] + 1) * .5f * float(p.H);
    return;
  }
  const double *m = map.m, u = double(j) - double(p.Wo - 1) / 2, v = double(i) - double(p.Ho - 1) / 2;
  const double w = m[6] * u + m[7] * v + m[8], inverse = w > 1e-2 ? 1 / w : NAN;
  x = float((m[0] * u + m[1] * v + m[2]) * inverse + (p.rows == 3 ? double(p.W - 1) / 2 : 0));
  y = float((m[3] * u + m[4] * v + m[5]) * inverse + (p.rows == 3 ? double(p.H - 1) / 2 : 0));
}

// The lines of the image between the corners of a chunk, if they are few: processors do not foresee a change of row.
// Inlined, since GCC removes calls of a function that only prefetches.
STNKIT_INLINE void prefetch(const Problem& p, const Source& source, const Map& map, int64_t n, const Chunk& k) {
  if (source.planar && p.C <= 4 && p.H * p.W <= 4 * CHUNK) return;  // planes in a row, which they do foresee
  float low_x = INFINITY, high_x = -INFINITY, low_y = INFINITY, high_y = -INFINITY;
  for (int corner = 0; corner < 4; corner++) {
    float x, y;
    approximate_point(p, map, n, k.i0 + (corner & 1 ? k.rows - 1 : 0), k.j0 + (corner & 2 ? k.columns - 1 : 0), x, y);
    if (!(std::fabs(x) < 1e8f && std::fabs(y) < 1e8f)) return;
    low_x = std::min(low_x, x), high_x = std::max(high_x, x);
    low_y = std::min(low_y, y), high_y = std::max(high_y, y);
  }
  const int64_t x0 = std::max<int64_t>(int64_t(low_x), 0), x1 = std::min<int64_t>(int64_t(high_x) + 1, p.W - 1);
  const int64_t y0 = std::max<int64_t>(int64_t(low_y), 0), y1 = std::min<int64_t>(int64_t(high_y) + 1, p.H - 1);
  if (x0 > x1 || y0 > y1 || (x1 - x0 + 1) * (y1 - y0 + 1) > 4 * CHUNK) return;
  const int64_t planes = source.planar ? std::min<int64_t>(p.C, 4) : 1, width = source.planar ? 1 : p.C;
  constexpr int64_t LINE = 16;  // floats
  for (int64_t c = 0; c < planes; c++)
    for (int64_t y = y0; y <= y1; y++) {
      const float* first = source.data + n * source.batch + c * source.channel + (y * source.pitch + x0) * source.pixel;
      const float* last = first + (x1 - x0) * source.pixel + width - 1;
      for (; first < last + LINE; first += LINE) __builtin_prefetch(std::min(first, last), 0, 2);
    }
}

// Some rows below one that is read or written, maybe beyond the end: of a tile, or of a window.
STNKIT_INLINE void prefetch_below(const float* row, int64_t pitch, int64_t length) {
  constexpr int64_t BELOW = 4, LINE = 16, LONGEST = 512;  // floats; long rows are foreseen
  if (length > LONGEST) return;
  const uintptr_t first = reinterpret_cast<uintptr_t>(row) + sizeof(float) * BELOW * pitch;
  for (int64_t j = 0; j < length; j += LINE)
    __builtin_prefetch(reinterpret_cast<const void*>(first + sizeof(float) * j), 0, 2);
}

// Padding as a change of coordinates; zeros and fill change none.
enum class Fold : int { none, border, reflection, mirror };

template <Fold FOLD, bool FACTORS>
STNKIT_INLINE void fold(vf size, vf& x, vf& factor) {
  if (FOLD == Fold::none) return;
  const vf one = set(1), half = set(.5), sign = set(-0.);
  const vf last = sub(size, one);
  if (FOLD != Fold::border) {  // about the edges, −½ and size − ½, or about 0 and size − 1
    const bool edges = FOLD == Fold::reflection;
    const vf from = edges ? add(x, half) : x, distance = _mm256_andnot_ps(sign, from);
    const vf period = edges ? add(size, size) : add(last, last);
    const vf rest = _mm256_fnmadd_ps(_mm256_round_ps(_mm256_div_ps(distance, period), 11), period, distance);
    const vf back = sub(period, rest), folded = min(rest, back);
    x = edges ? sub(folded, half) : folded;
    if (FACTORS) factor = flip(factor, both(sign, flip(from, compare<_CMP_GT_OQ>(rest, back))));
  }
  if (FACTORS) {  // 0 where clipped, and a NaN stays
    const vf free = both(compare<_CMP_GT_OQ>(x, zero()), compare<_CMP_LT_OQ>(x, last));
    factor = mul(factor, both(one, free));
  }
  x = min(max(x, zero()), last);
}

// visit(t, eight points) for all t of a chunk, in steps of 8. Points beyond the end of a run are any others.
template <Points POINTS, Fold FOLD, bool FACTORS, class Visit>
STNKIT_INLINE void visit_points(const Problem& p, const Map& map, int64_t n, const Chunk& k, const Lattice& lattice,
                                const Visit& visit) {
  const Local local(p, map, k.i0, k.j0);
  const vf width = set(double(p.W)), height = set(double(p.H));
  for (int run = 0; run < k.runs; run++) {
    const int64_t first = (k.i0 + run) * p.Wo + k.j0;
    for (int u = 0, t = run * k.pitch; u < k.length; u += LANES, t += LANES) {
      Eight e;
      if (POINTS == Points::grid) {
        vf x, y;
        load_grid(p.coordinates + n * p.grid_stride[0] + (first + u) * p.grid_stride[1], p.grid_stride,
                  std::min(k.length - u, LANES), x, y);
        grid_points<FACTORS>(local, x, y, e);
      } else if (POINTS == Points::projective) {
        projective_points<FACTORS>(local, load(lattice.j + t), load(lattice.i + t), e);
      } else {
        affine_points<FACTORS>(local, load(lattice.j + t), load(lattice.i + t), e);
      }
      fold<FOLD, FACTORS>(width, e.x, e.factor_x);
      fold<FOLD, FACTORS>(height, e.y, e.factor_y);
      visit(t, e);
    }
  }
}

// One of f<points, fold>(), where f is a template: `select` returns a pointer to a function.
template <template <Points, Fold> class F>
STNKIT_INLINE auto select(const Problem& p) {
  const int fold = !folds(p.padding) ? 0 : p.padding == Padding::border ? 1 : p.padding == Padding::reflection ? 2 : 3;
  const int points = p.rows == 2 ? 0 : p.rows == 3 ? 1 : 2;
  constexpr Points A = Points::affine, P = Points::projective, G = Points::grid;
  constexpr Fold N = Fold::none, B = Fold::border, R = Fold::reflection, M = Fold::mirror;
  static constexpr decltype(F<A, N>::function) functions[3][4] = {
      {F<A, N>::function, F<A, B>::function, F<A, R>::function, F<A, M>::function},
      {F<P, N>::function, F<P, B>::function, F<P, R>::function, F<P, M>::function},
      {F<G, N>::function, F<G, B>::function, F<G, R>::function, F<G, M>::function}};
  return functions[points][fold];
}

}  // namespace stnkit::fast
