// Control points with zeros around them, and cubic B-splines at points in lanes.
#pragma once

namespace stnkit::spline {

using flow::Lanes;
using flow::load;
using flow::pick;
using flow::store;

// Zeros on each side of an axis: a point farther out reaches nothing else.
constexpr int64_t MARGIN = 4;

inline flow::Floats floor_of(flow::Floats a) { return (flow::Floats)_mm256_floor_ps((__m256)a); }
inline flow::Doubles floor_of(flow::Doubles a) { return (flow::Doubles)_mm256_floor_pd((__m256d)a); }
inline void store_whole(int32_t* to, flow::Floats a) { store(to, _mm256_cvttps_epi32((__m256)a)); }
inline void store_whole(int32_t* to, flow::Doubles a) {
  const __m128i whole = _mm256_cvttpd_epi32((__m256d)a);
  std::memcpy(to, &whole, sizeof whole);
}

// A square of lanes.
inline void transpose(flow::Floats (&square)[8]) {
  flow::Floats rows[8];
  std::copy_n(square, 8, rows);
  flow::transpose(rows, square);
}
inline void transpose(flow::Doubles (&square)[4]) {
  flow::transpose((__m256d&)square[0], (__m256d&)square[1], (__m256d&)square[2], (__m256d&)square[3]);
}

template <class T, int D>
struct Lattice {
  static constexpr int64_t ENTRIES = D == 2 ? 2 : 4;  // of a control point
  static constexpr int ROWS = D == 2 ? 4 : 16;        // of four control points along x, that reach a point
  int64_t counts[3], extent[3], offset[ROWS];
  T scale[D];  // spacings in a unit
  std::vector<T> values;

  explicit Lattice(const Problem<T>& p) {
    int64_t size = ENTRIES;
    for (int d = 0; d < 3; d++) {
      counts[d] = d < D ? p.counts[d] : 1;
      extent[d] = counts[d] + 2 * MARGIN;
      if (d >= D) continue;
      scale[d] = static_cast<T>(counts[d] - 3) / 2;
      size *= extent[d];
    }
    for (int row = 0; row < ROWS; row++) offset[row] = ENTRIES * extent[0] * (row % 4 + extent[1] * (row / 4));
    values.assign(static_cast<size_t>(size), T(0));
  }

  // each(value, number) for the entries of the lattice and those of a field.
  template <class Each>
  void for_each(const Each& each) {
    const int64_t rows = counts[1] * counts[2], planes = rows * counts[0];
    for (int64_t row = 0; row < rows; row++) {
      const int64_t z = row / counts[1], y = row % counts[1] + MARGIN;
      const int64_t first = ((D == 2 ? 0 : (z + MARGIN) * extent[1]) + y) * extent[0] + MARGIN;
      for (int64_t x = 0; x < counts[0]; x++)
        for (int64_t d = 0; d < D; d++)
          each(values[static_cast<size_t>(ENTRIES * (first + x) + d)], d * planes + row * counts[0] + x);
    }
  }
};

// The control points that reach a point of each lane, and their shares.
template <class T, int D>
struct Reading {
  static constexpr int N = Lanes<T>::N, ROWS = Lattice<T, D>::ROWS;
  static constexpr int64_t ENTRIES = Lattice<T, D>::ENTRIES;
  static constexpr int PARTS = static_cast<int>(4 * ENTRIES) / N;  // vectors in a row of four control points
  using Values = typename Lanes<T>::Values;
  const Lattice<T, D>* lattice;
  Values weight[D][4], slope[D][4];
  int32_t first[N];

  Reading() = default;
  Reading(const Lattice<T, D>& from, const Values (&at)[D], bool slopes) : lattice(&from) {
    Values index{};
    for (int d = D - 1; d >= 0; d--) {
      const Values position = (at[d] + 1) * from.scale[d] + 1, below = floor_of(position), t = position - below;
      const Values s = 1 - t, lowest = Values{} - 3, highest = Values{} + static_cast<T>(from.counts[d] + 1);
      // A NaN is at the lowest: its weights keep it.
      const Values start = pick(below >= lowest, pick(below <= highest, below, highest), lowest);
      index = index * static_cast<T>(from.extent[d]) + (start + static_cast<T>(MARGIN - 1));
      weight[d][0] = s * s * s * T(1.0 / 6);
      weight[d][1] = T(2.0 / 3) + t * t * (t * T(0.5) - 1);
      weight[d][2] = T(2.0 / 3) + s * s * (s * T(0.5) - 1);
      weight[d][3] = t * t * t * T(1.0 / 6);
      if (!slopes) continue;
      const T scale = from.scale[d];
      slope[d][0] = s * s * (T(-0.5) * scale);
      slope[d][1] = t * (t * T(1.5) - 2) * scale;
      slope[d][2] = s * (2 - s * T(1.5)) * scale;
      slope[d][3] = t * t * (T(0.5) * scale);
    }
    store_whole(first, index);
  }

  // The velocities: shares of rows along y and z, then of control points along x.
  void values(const Values (&along_x)[4], const Values (&shares)[ROWS], Values (&made)[D]) const {
    T share[ROWS][N];
    for (int row = 0; row < ROWS; row++) store(share[row], shares[row]);
    Values sums[PARTS][N];
    for (int lane = 0; lane < N; lane++) {
      const T* from = lattice->values.data() + ENTRIES * first[lane];
      Values sum[PARTS]{};
      for (int row = 0; row < ROWS; row++)
        for (int part = 0; part < PARTS; part++)
          sum[part] += share[row][lane] * load<Values>(from + lattice->offset[row] + part * N);
      for (int part = 0; part < PARTS; part++) sums[part][lane] = sum[part];
    }
    for (int part = 0; part < PARTS; part++) transpose(sums[part]);
    for (int d = 0; d < D; d++) {
      made[d] = Values{};
      for (int k = 0; k < 4; k++) {
        const int entry = k * static_cast<int>(ENTRIES) + d;
        made[d] += along_x[k] * sums[entry / N][entry % N];
      }
    }
  }

  // Products of the factors along y and, in three dimensions, z.
  static void shares(const Values (&y)[4], const Values* z, Values (&made)[ROWS]) {
    for (int row = 0; row < ROWS; row++) made[row] = D == 2 ? y[row % 4] : y[row % 4] * z[row / 4];
  }

  // Adds the gradient to the velocities, from that to what was read.
  void add(Lattice<T, D>& gradient, const Values (&given)[D]) const {
    Values products[ROWS], rows[PARTS][N]{};
    shares(weight[1], weight[D - 1], products);
    T share[ROWS][N];
    for (int row = 0; row < ROWS; row++) store(share[row], products[row]);
    for (int k = 0; k < 4; k++)
      for (int d = 0; d < D; d++) {
        const int entry = k * static_cast<int>(ENTRIES) + d;
        rows[entry / N][entry % N] = weight[0][k] * given[d];
      }
    for (int part = 0; part < PARTS; part++) transpose(rows[part]);
    for (int lane = 0; lane < N; lane++) {
      T* to = gradient.values.data() + ENTRIES * first[lane];
      for (int row = 0; row < ROWS; row++)
        for (int part = 0; part < PARTS; part++) {
          T* at = to + lattice->offset[row] + part * N;
          store(at, load<Values>(at) + share[row][lane] * rows[part][lane]);
        }
    }
  }
};

}  // namespace stnkit::spline
