// Points of the output by the cell of the image, between four pixels, that they fall into.
#pragma once

namespace stnkit::fast {

constexpr int STRIP = 4 * CHUNK;             // pixels of the output that share one window
constexpr int64_t CELLS = 20480;             // of a window with its border: 320 KiB
constexpr int64_t CELLS_PER_POINT = 4;       // of a window that is worth its passes
constexpr int64_t WIDEST = 2048;             // columns of a window

// The points of a strip: cell (row, column) = floor of the source, −1 included, whose taps outside of the image are
// dropped when cells are added to it. So no weight is ever masked, and 0 · NaN reaches no pixel.
struct Cells {
  alignas(64) int32_t row[STRIP + MARGIN], column[STRIP + MARGIN], index[STRIP + MARGIN];
  alignas(64) float x[STRIP + MARGIN], y[STRIP + MARGIN];  // of a point within its cell
  alignas(64) float weight[4 * (STRIP + MARGIN)];          // of a point's four taps
  vi low_row, high_row, low_column, high_column, near;  // of points with a tap in the image; near: −their number
};
constexpr int32_t NOWHERE = -2;  // the row of a point without a tap in the image

struct Window {
  int64_t row, column, rows, columns;  // of cells
  int64_t points;
  bool empty() const { return points == 0; }
  bool is_dense() const {
    const int64_t size = (rows + 2) * (columns + 2);
    return size <= CELLS && columns + 2 <= WIDEST && size <= CELLS_PER_POINT * points + 256;
  }
};

STNKIT_INLINE void clear_window(Cells& cells) {
  cells.low_row = cells.low_column = _mm256_set1_epi32(INT32_MAX);
  cells.high_row = cells.high_column = _mm256_set1_epi32(INT32_MIN);
  cells.near = _mm256_setzero_si256();
}

STNKIT_INLINE void put_cell(Cells& cells, int t, vf x, vf y, vf width, vf height) {
  const vf column = floor(x), row = floor(y), least = set(-1);
  const vf near = both(both(compare<_CMP_GE_OQ>(column, least), compare<_CMP_LT_OQ>(column, width)),
                       both(compare<_CMP_GE_OQ>(row, least), compare<_CMP_LT_OQ>(row, height)));
  const vi known = _mm256_castps_si256(near);
  // Blended before the conversion, which is undefined for large numbers.
  const vi c = to_int(both(column, near)), r = to_int(where(near, row, set(NOWHERE)));
  store(cells.column + t, c);
  store(cells.row + t, r);
  store(cells.x + t, sub(x, column));
  store(cells.y + t, sub(y, row));
  cells.near = _mm256_add_epi32(cells.near, known);
  const vi most = _mm256_set1_epi32(INT32_MAX), none = _mm256_set1_epi32(INT32_MIN);
  cells.low_row = _mm256_min_epi32(cells.low_row, _mm256_blendv_epi8(most, r, known));
  cells.high_row = _mm256_max_epi32(cells.high_row, _mm256_blendv_epi8(none, r, known));
  cells.low_column = _mm256_min_epi32(cells.low_column, _mm256_blendv_epi8(most, c, known));
  cells.high_column = _mm256_max_epi32(cells.high_column, _mm256_blendv_epi8(none, c, known));
}

STNKIT_INLINE Window window_of(const Cells& cells) {
  alignas(32) int32_t a[5][LANES];
  store(a[0], cells.low_row), store(a[1], cells.high_row);
  store(a[2], cells.low_column), store(a[3], cells.high_column);
  store(a[4], cells.near);
  for (int t = 1; t < LANES; t++) {
    a[0][0] = std::min(a[0][0], a[0][t]), a[1][0] = std::max(a[1][0], a[1][t]);
    a[2][0] = std::min(a[2][0], a[2][t]), a[3][0] = std::max(a[3][0], a[3][t]);
    a[4][0] += a[4][t];
  }
  if (a[4][0] == 0) return {0, 0, 0, 0, 0};
  return {a[0][0], a[2][0], int64_t{a[1][0]} - a[0][0] + 1, int64_t{a[3][0]} - a[2][0] + 1, -int64_t{a[4][0]}};
}

// Index of each point's cell in a window with a border of one cell, −1 without one; and the weights of its taps.
STNKIT_INLINE void index_cells(Cells& cells, const Window& w, int begin, int n) {
  const vi row = _mm256_set1_epi32(static_cast<int>(w.row - 1));
  const vi column = _mm256_set1_epi32(static_cast<int>(w.column - 1));
  const vi pitch = _mm256_set1_epi32(static_cast<int>(w.columns + 2)), nowhere = _mm256_set1_epi32(NOWHERE);
  for (int t = begin; t < begin + n; t += LANES) {
    const vi r = load(cells.row + t);
    const vi at = _mm256_add_epi32(_mm256_mullo_epi32(_mm256_sub_epi32(r, row), pitch),
                                   _mm256_sub_epi32(load(cells.column + t), column));
    store(cells.index + t, _mm256_or_si256(at, _mm256_cmpeq_epi32(r, nowhere)));
  }
}

// The weights of the four taps of eight points, one point after the other.
STNKIT_INLINE void store_weights(float* to, vf x1, vf y1) {
  const vf one = set(1), x0 = sub(one, x1), y0 = sub(one, y1);
  const vf a = mul(x0, y0), b = mul(x1, y0), c = mul(x0, y1), d = mul(x1, y1);
  const vf ab = _mm256_unpacklo_ps(a, b), AB = _mm256_unpackhi_ps(a, b);
  const vf cd = _mm256_unpacklo_ps(c, d), CD = _mm256_unpackhi_ps(c, d);
  const vf p = _mm256_shuffle_ps(ab, cd, 0x44), q = _mm256_shuffle_ps(ab, cd, 0xee);
  const vf r = _mm256_shuffle_ps(AB, CD, 0x44), s = _mm256_shuffle_ps(AB, CD, 0xee);
  store(to, _mm256_permute2f128_ps(p, q, 0x20));
  store(to + 8, _mm256_permute2f128_ps(r, s, 0x20));
  store(to + 16, _mm256_permute2f128_ps(p, q, 0x31));
  store(to + 24, _mm256_permute2f128_ps(r, s, 0x31));
}

STNKIT_INLINE void weigh_cells(Cells& cells, int begin, int n) {
  for (int t = begin; t < begin + n; t += LANES)
    store_weights(cells.weight + 4 * t, load(cells.x + t), load(cells.y + t));
}

// Strips: up to four chunks below each other.
struct Strips {
  const Tiling& tiling;
  int64_t chunk_rows, count;
  explicit Strips(const Tiling& t)
      : tiling(t), chunk_rows(t.count / t.per_row), count((chunk_rows + 3) / 4 * t.per_row) {}
  Chunk chunk(int64_t s, int a) const {
    return tiling.chunk((s / tiling.per_row * 4 + a) * tiling.per_row + s % tiling.per_row);
  }
  int chunks(int64_t s) const { return static_cast<int>(std::min<int64_t>(4, chunk_rows - s / tiling.per_row * 4)); }
};

using LocateCells = void (*)(const Problem&, const Map&, int64_t n, const Chunk&, const Lattice&, int first, Cells&);

template <Points POINTS, Fold FOLD>
void locate_cells(const Problem& p, const Map& map, int64_t n, const Chunk& k, const Lattice& lattice, int first,
                  Cells& cells) {
  const vf width = set(double(p.W)), height = set(double(p.H));
  visit_points<POINTS, FOLD, false>(p, map, n, k, lattice, [&](int t, const Eight& e) __attribute__((always_inline)) {
    put_cell(cells, first + t, e.x, e.y, width, height);
  });
}

template <Points POINTS, Fold FOLD>
struct LocateCellsOf {
  static constexpr LocateCells function = locate_cells<POINTS, FOLD>;
};

inline Window locate_strip(const Problem& p, const Map& map, int64_t n, const Strips& strips, int64_t strip,
                           const Lattice& lattice, Cells& cells) {
  clear_window(cells);
  const LocateCells locate = select<LocateCellsOf>(p);
  for (int a = 0; a < strips.chunks(strip); a++) locate(p, map, n, strips.chunk(strip, a), lattice, a * CHUNK, cells);
  return window_of(cells);
}

// A small image, all of whose cells are one window: neither bounds of the points are sought nor their cells stored.
STNKIT_INLINE bool is_one_window(const Problem& p, const Strips& strips) {
  const int64_t size = (p.H + 3) * (p.W + 3);
  return strips.count == 1 && p.W + 3 <= WIDEST && size <= CELLS && size <= 2 * p.Ho * p.Wo;
}
STNKIT_INLINE Window window_of_image(const Problem& p) { return {-1, -1, p.H + 1, p.W + 1, p.Ho * p.Wo}; }

// As `locate_cells`, `index_cells` and `weigh_cells` in the window of the image.
template <Points POINTS, Fold FOLD>
void weigh_image(const Problem& p, const Map& map, int64_t n, const Chunk& k, const Lattice& lattice, int first,
                 Cells& cells) {
  const vf last_column = set(double(p.W - 1)), last_row = set(double(p.H - 1)), least = set(-1);
  const vf pitch = set(double(p.W + 3)), origin = set(2. * double(p.W + 3) + 2);
  const auto visit = [&](int t, const Eight& e) __attribute__((always_inline)) {
    const vf column = floor(e.x), row = floor(e.y);
    const vf near = both(compare<_CMP_EQ_OQ>(column, min(max(column, least), last_column)),
                         compare<_CMP_EQ_OQ>(row, min(max(row, least), last_row)));
    store(cells.index + first + t, to_int(where(near, fma(row, pitch, add(column, origin)), least)));
    store_weights(cells.weight + 4 * (first + t), sub(e.x, column), sub(e.y, row));
  };
  visit_points<POINTS, FOLD, false>(p, map, n, k, lattice, visit);
}

template <Points POINTS, Fold FOLD>
struct WeighImageOf {
  static constexpr LocateCells function = weigh_image<POINTS, FOLD>;
};

}  // namespace stnkit::fast
