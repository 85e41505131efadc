// Vectors of four and eight float32.
#pragma once

namespace stnkit::general {

// Vectors of the compiler, with its operators.
typedef float Float4 __attribute__((vector_size(16)));
typedef float Float8 __attribute__((vector_size(32)));

template <class Vector>
inline Vector load_vector(const float* from) {
  Vector values;
  std::memcpy(&values, from, sizeof values);
  return values;
}

template <class Vector>
inline void store_vector(float* to, Vector values) {
  std::memcpy(to, &values, sizeof values);
}

inline __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// The first n < 8 lanes; the others are 0, and nothing there is read.
inline Float8 load_some(const float* from, int n) {
  return (Float8)_mm256_maskload_ps(from, first_lanes(n));
}

inline void store_some(float* to, Float8 values, int n) {
  _mm256_maskstore_ps(to, first_lanes(n), (__m256)values);
}

// Eight pairs of values that are beside each other, the left ones and the right ones.
inline void load_pairs(const float* from, const int64_t* at, Float8& left, Float8& right) {
  const auto two = [&](int i, int j) {
    double low, high;
    std::memcpy(&low, from + at[i], sizeof low);
    std::memcpy(&high, from + at[j], sizeof high);
    return _mm_castpd_ps(_mm_set_pd(high, low));
  };
  const __m256 a = _mm256_insertf128_ps(_mm256_castps128_ps256(two(0, 1)), two(4, 5), 1);
  const __m256 b = _mm256_insertf128_ps(_mm256_castps128_ps256(two(2, 3)), two(6, 7), 1);
  left = (Float8)_mm256_shuffle_ps(a, b, 0x88);
  right = (Float8)_mm256_shuffle_ps(a, b, 0xdd);
}

}  // namespace stnkit::general
