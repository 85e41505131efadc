// As many values at once as fit into 32 bytes, float or double, with the compiler's own operators.
#pragma once

namespace stnkit::flow {

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  static constexpr int N = 8;
  using Integer = int32_t;
  typedef float Values __attribute__((vector_size(32)));
  typedef int32_t Mask __attribute__((vector_size(32)));  // −1 in a lane that is set; integers too
};
template <>
struct Lanes<double> {
  static constexpr int N = 4;
  using Integer = int64_t;
  typedef double Values __attribute__((vector_size(32)));
  typedef int64_t Mask __attribute__((vector_size(32)));
};
using Floats = Lanes<float>::Values;
using Doubles = Lanes<double>::Values;

template <class Vector, class Element>
inline Vector load(const Element* from) {
  static_assert(sizeof(Vector) == 32);
  Vector values;
  std::memcpy(&values, from, sizeof values);
  return values;
}

// The first n, and zeros; nothing behind them is read.
template <class Vector, class Element>
inline Vector load(const Element* from, int64_t n) {
  if (n >= static_cast<int64_t>(sizeof(Vector) / sizeof(Element))) return load<Vector>(from);
  Vector values{};
  std::memcpy(&values, from, static_cast<size_t>(n) * sizeof(Element));
  return values;
}

template <class Vector, class Element>
inline void store(Element* to, const Vector& values) {
  std::memcpy(to, &values, sizeof values);
}

// One bit for each lane that is set.
inline int bits(Lanes<float>::Mask mask) { return _mm256_movemask_ps((__m256)mask); }
inline int bits(Lanes<double>::Mask mask) { return _mm256_movemask_pd((__m256d)mask); }

// a in the lanes that are set, b in the others. The operator ?: would compare the mask with 0 before.
inline Floats pick(Lanes<float>::Mask set, Floats a, Floats b) {
  return (Floats)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)set);
}
inline Doubles pick(Lanes<double>::Mask set, Doubles a, Doubles b) {
  return (Doubles)_mm256_blendv_pd((__m256d)b, (__m256d)a, (__m256d)set);
}
template <class Mask>
inline Mask pick(Mask set, Mask a, Mask b) {
  return (Mask)_mm256_blendv_epi8((__m256i)b, (__m256i)a, (__m256i)set);
}

inline Floats root_of(Floats a) { return (Floats)_mm256_sqrt_ps((__m256)a); }
inline Doubles root_of(Doubles a) { return (Doubles)_mm256_sqrt_pd((__m256d)a); }

inline Floats magnitude(Floats a) { return (Floats)_mm256_andnot_ps(_mm256_set1_ps(-0.f), (__m256)a); }
inline Doubles magnitude(Doubles a) { return (Doubles)_mm256_andnot_pd(_mm256_set1_pd(-0.0), (__m256d)a); }

// The numbers of the lanes.
template <class T>
inline typename Lanes<T>::Mask lane_numbers() {
  typename Lanes<T>::Mask made{};
  for (int i = 0; i < Lanes<T>::N; i++) made[i] = i;
  return made;
}

// For each set of lanes, the halves or wholes of 8 bytes of these lanes, one behind the other.
template <int N>
constexpr auto PACKED = [] {
  std::array<std::array<int32_t, 8>, size_t(1) << N> made{};
  for (size_t set = 0; set < made.size(); set++) {
    size_t next = 0;
    for (int lane = 0; lane < N; lane++)
      if (set >> lane & 1)
        for (int part = 0; part < 8 / N; part++) made[set][next++] = lane * (8 / N) + part;
  }
  return made;
}();

// Writes the lanes of a set one behind the other; what is behind them is overwritten too.
template <class Vector, class Element>
inline void store_packed(Element* to, const Vector& values, int set) {
  const auto& order = PACKED<static_cast<int>(sizeof(Vector) / sizeof(Element))>[static_cast<size_t>(set)];
  const __m256i packed = _mm256_permutevar8x32_epi32((__m256i)values, load<__m256i>(order.data()));
  store(to, packed);
}

inline void transpose(__m256d& a, __m256d& b, __m256d& c, __m256d& d) {
  const __m256d e = _mm256_unpacklo_pd(a, b), f = _mm256_unpackhi_pd(a, b), g = _mm256_unpacklo_pd(c, d),
                h = _mm256_unpackhi_pd(c, d);
  a = _mm256_permute2f128_pd(e, g, 0x20);
  b = _mm256_permute2f128_pd(f, h, 0x20);
  c = _mm256_permute2f128_pd(e, g, 0x31);
  d = _mm256_permute2f128_pd(f, h, 0x31);
}

// Rows of eight values, one for each lane, as eight vectors.
inline void transpose(const Floats (&rows)[8], Floats (&columns)[8]) {
  __m256 pairs[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps((__m256)rows[i], (__m256)rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps((__m256)rows[i], (__m256)rows[i + 1]);
  }
  for (int half = 0; half < 2; half++) {
    __m256d a = (__m256d)pairs[half], b = (__m256d)pairs[2 + half], c = (__m256d)pairs[4 + half],
            d = (__m256d)pairs[6 + half];
    const __m256d e = _mm256_unpacklo_pd(a, b), f = _mm256_unpackhi_pd(a, b), g = _mm256_unpacklo_pd(c, d),
                  h = _mm256_unpackhi_pd(c, d);
    columns[2 * half] = (Floats)_mm256_permute2f128_pd(e, g, 0x20);
    columns[2 * half + 1] = (Floats)_mm256_permute2f128_pd(f, h, 0x20);
    columns[2 * half + 4] = (Floats)_mm256_permute2f128_pd(e, g, 0x31);
    columns[2 * half + 5] = (Floats)_mm256_permute2f128_pd(f, h, 0x31);
  }
}

// columns[j] has entry j of the record of each lane. Records have eight entries; `at` are their numbers, in memory or lanes.
template <class Index>
inline void read_records(const float* records, const Index& at, Floats (&columns)[8]) {
  Floats rows[8];
  for (int i = 0; i < 8; i++) rows[i] = load<Floats>(records + 8 * at[i]);
  transpose(rows, columns);
}

template <class Index>
inline void read_records(const double* records, const Index& at, Doubles (&columns)[8]) {
  for (int half = 0; half < 2; half++) {
    __m256d rows[4];
    for (int i = 0; i < 4; i++) rows[i] = load<__m256d>(records + 8 * at[i] + 4 * half);
    transpose(rows[0], rows[1], rows[2], rows[3]);
    for (int i = 0; i < 4; i++) columns[4 * half + i] = (Doubles)rows[i];
  }
}

// Adds entry j of columns[j] to the record of each lane.
template <class Index>
inline void add_to_records(const Floats (&columns)[8], const Index& at, double* records) {
  Floats rows[8];
  transpose(columns, rows);
  for (int i = 0; i < 8; i++) {
    double* to = records + 8 * at[i];
    const __m256 row = (__m256)rows[i];
    store(to, load<Doubles>(to) + (Doubles)_mm256_cvtps_pd(_mm256_castps256_ps128(row)));
    store(to + 4, load<Doubles>(to + 4) + (Doubles)_mm256_cvtps_pd(_mm256_extractf128_ps(row, 1)));
  }
}

template <class Index>
inline void add_to_records(const Doubles (&columns)[8], const Index& at, double* records) {
  for (int half = 0; half < 2; half++) {
    __m256d rows[4];
    for (int i = 0; i < 4; i++) rows[i] = (__m256d)columns[4 * half + i];
    transpose(rows[0], rows[1], rows[2], rows[3]);
    for (int i = 0; i < 4; i++) {
      double* to = records + 8 * at[i] + 4 * half;
      store(to, load<Doubles>(to) + (Doubles)rows[i]);
    }
  }
}

// values[at] of each lane.
template <class T, class Index>
inline typename Lanes<T>::Values gathered(const T* values, const Index& at) {
  typename Lanes<T>::Values made{};
  for (int i = 0; i < Lanes<T>::N; i++) made[i] = values[at[i]];
  return made;
}

}  // namespace stnkit::flow
