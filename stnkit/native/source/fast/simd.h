// Eight floats at once. Included by fast.h, within its target("avx2,fma").
#pragma once

namespace stnkit::fast {

using vf = __m256;
using vi = __m256i;
constexpr int LANES = 8;

STNKIT_INLINE vf load(const float* p) { return _mm256_loadu_ps(p); }
STNKIT_INLINE vi load(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const vi*>(p)); }
STNKIT_INLINE void store(float* p, vf a) { _mm256_storeu_ps(p, a); }
STNKIT_INLINE void store(int32_t* p, vi a) { _mm256_storeu_si256(reinterpret_cast<vi*>(p), a); }
STNKIT_INLINE vf set(double a) { return _mm256_set1_ps(static_cast<float>(a)); }
STNKIT_INLINE vf zero() { return _mm256_setzero_ps(); }
STNKIT_INLINE vf add(vf a, vf b) { return _mm256_add_ps(a, b); }
STNKIT_INLINE vf sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
STNKIT_INLINE vf mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
STNKIT_INLINE vf fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
// b where a is NaN, in both.
STNKIT_INLINE vf min(vf a, vf b) { return _mm256_min_ps(a, b); }
STNKIT_INLINE vf max(vf a, vf b) { return _mm256_max_ps(a, b); }
STNKIT_INLINE vf both(vf a, vf b) { return _mm256_and_ps(a, b); }
STNKIT_INLINE vf flip(vf a, vf sign) { return _mm256_xor_ps(a, sign); }
STNKIT_INLINE vf where(vf mask, vf a, vf b) { return _mm256_blendv_ps(b, a, mask); }
STNKIT_INLINE vf floor(vf a) { return _mm256_floor_ps(a); }
STNKIT_INLINE vi to_int(vf a) { return _mm256_cvttps_epi32(a); }
STNKIT_INLINE int bits(vf mask) { return _mm256_movemask_ps(mask); }
template <int RELATION>
STNKIT_INLINE vf compare(vf a, vf b) { return _mm256_cmp_ps(a, b, RELATION); }
STNKIT_INLINE vf within(vf a, double low, double below) {  // low ≤ a < below
  return both(compare<_CMP_GE_OQ>(a, set(low)), compare<_CMP_LT_OQ>(a, set(below)));
}

STNKIT_INLINE vf first_lanes(int n) {  // mask of the first n
  const vi lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), lanes));
}

STNKIT_INLINE vf load_first(const float* p, int n) {  // zeros beyond the first n
  return n >= LANES ? load(p) : _mm256_maskload_ps(p, _mm256_castps_si256(first_lanes(n)));
}

// A masked store takes tens of cycles on some processors.
STNKIT_INLINE void store_first(float* p, vf a, int n) {
  if (n >= LANES) return store(p, a);
  __m128 part = _mm256_castps256_ps128(a);
  if (n & 4) {
    _mm_storeu_ps(p, part);
    part = _mm256_extractf128_ps(a, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), part);
    part = _mm_movehl_ps(part, part);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, part);
}

STNKIT_INLINE __m128 two_pairs(const float* a, const float* b) {
  const __m128 low = _mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(a)));
  return _mm_loadh_pi(low, reinterpret_cast<const __m64*>(b));
}

// p[i] and p[i + 1] of eight i. Faster than two gathers: half the loads.
STNKIT_INLINE void load_pairs(const float* p, const int32_t* i, vf& left, vf& right) {
  const vf a = _mm256_insertf128_ps(_mm256_castps128_ps256(two_pairs(p + i[0], p + i[1])),
                                    two_pairs(p + i[4], p + i[5]), 1);
  const vf b = _mm256_insertf128_ps(_mm256_castps128_ps256(two_pairs(p + i[2], p + i[3])),
                                    two_pairs(p + i[6], p + i[7]), 1);
  left = _mm256_shuffle_ps(a, b, 0x88);
  right = _mm256_shuffle_ps(a, b, 0xdd);
}

// Three channels: the six values of two neighbors in two loads.
STNKIT_INLINE void load_two_of_three(const float* p, __m128& left, __m128& right) {
  left = _mm_loadu_ps(p);
  right = _mm_loadu_ps(p + 2);
  right = _mm_shuffle_ps(right, right, 0xf9);
}

STNKIT_INLINE float sum(vf a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

// The sums of four vectors.
STNKIT_INLINE __m128 sums(vf a, vf b, vf c, vf d) {
  const vf s = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  return _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
}

}  // namespace stnkit::fast
