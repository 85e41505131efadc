// An image of bytes at the source points of a matrix, bilinearly, rounded to bytes: nothing is kept in float32 but the
// pixel at hand, so that a photograph costs less than its decoding.
#pragma once

namespace stnkit {
namespace bytes {

// Of the coordinates of a source point: pixels beyond are outside of every image, and fit into an integer.
constexpr double FARTHEST = 1e8;
constexpr int64_t BLOCK = 8;

// The pixel of a row of n that stands for pixel i, or -1 for the constant.
inline int64_t source_index(int64_t i, int64_t n, Padding padding) {
  if (i >= 0 && i < n) return i;
  switch (padding) {
    case Padding::border: return i < 0 ? 0 : n - 1;
    case Padding::circular: return ((i % n) + n) % n;
    case Padding::reflection: {
      const int64_t folded = ((i % (2 * n)) + 2 * n) % (2 * n);
      return std::min(folded, 2 * n - 1 - folded);
    }
    case Padding::mirror: {
      const int64_t period = std::max<int64_t>(2 * n - 2, 1), folded = ((i % period) + period) % period;
      return std::min(folded, period - folded);
    }
    default: return -1;
  }
}

// A source point for each pixel of a block: its upper left tap and the weights of the others.
struct Block {
  alignas(32) int32_t x[BLOCK], y[BLOCK];
  alignas(32) float fx[BLOCK], fy[BLOCK];
};

// Of four points of a row: (matrix[0] j + first) / w.
inline void split(__m256d value, int32_t* whole, float* part) {
  const __m256d far = _mm256_set1_pd(FARTHEST);
  value = _mm256_min_pd(_mm256_max_pd(value, _mm256_sub_pd(_mm256_setzero_pd(), far)), far);
  const __m256d floor = _mm256_floor_pd(value);
  _mm_store_si128(reinterpret_cast<__m128i*>(whole), _mm256_cvtpd_epi32(floor));
  _mm_store_ps(part, _mm256_cvtpd_ps(_mm256_sub_pd(value, floor)));
}

inline void source_points(const ByteProblem& p, const double* first, int64_t j, Block& block) {
  const __m256d steps = _mm256_setr_pd(0, 1, 2, 3);
  for (int half = 0; half < 2; half++) {
    const __m256d column = _mm256_add_pd(_mm256_set1_pd(static_cast<double>(j + 4 * half)), steps);
    __m256d x = _mm256_fmadd_pd(column, _mm256_set1_pd(p.matrix[0]), _mm256_set1_pd(first[0]));
    __m256d y = _mm256_fmadd_pd(column, _mm256_set1_pd(p.matrix[3]), _mm256_set1_pd(first[1]));
    if (p.matrix[6] != 0 || p.matrix[7] != 0 || p.matrix[8] != 1) {
      const __m256d w = _mm256_fmadd_pd(column, _mm256_set1_pd(p.matrix[6]), _mm256_set1_pd(first[2]));
      x = _mm256_div_pd(x, w);
      y = _mm256_div_pd(y, w);
    }
    split(x, block.x + 4 * half, block.fx + 4 * half);
    split(y, block.y + 4 * half, block.fy + 4 * half);
  }
}

// True if all four taps of all points of a block lie on the image, and eight bytes can be read at each.
inline bool inside(const ByteProblem& p, const Block& block, int64_t readable_rows) {
  const auto within = [](const int32_t* values, int64_t end) {  // 0 <= value < end
    const __m256i v = _mm256_load_si256(reinterpret_cast<const __m256i*>(values));
    const __m256i above = _mm256_cmpgt_epi32(v, _mm256_set1_epi32(-1));
    return _mm256_and_si256(above, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(end)), v));
  };
  const __m256i both = _mm256_and_si256(within(block.x, p.W - 1), within(block.y, readable_rows));
  return _mm256_movemask_epi8(both) == -1;
}

// Where the upper left taps of a block lie, and the shares of both columns as words.
struct Taps {
  alignas(32) int32_t at[BLOCK], shares[BLOCK];
};

constexpr float UNIT = 1 << 14;

inline void taps(const ByteProblem& p, const Block& block, Taps& made) {
  const __m256i x = _mm256_load_si256(reinterpret_cast<const __m256i*>(block.x));
  const __m256i y = _mm256_load_si256(reinterpret_cast<const __m256i*>(block.y));
  const __m256i row = _mm256_mullo_epi32(y, _mm256_set1_epi32(static_cast<int32_t>(p.image_row)));
  const __m256i column = _mm256_mullo_epi32(x, _mm256_set1_epi32(static_cast<int32_t>(p.image_pixel)));
  _mm256_store_si256(reinterpret_cast<__m256i*>(made.at), _mm256_add_epi32(row, column));
  const __m256i right = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_load_ps(block.fx), _mm256_set1_ps(UNIT)));
  const __m256i left = _mm256_sub_epi32(_mm256_set1_epi32(1 << 14), right);
  _mm256_store_si256(reinterpret_cast<__m256i*>(made.shares), _mm256_or_si256(_mm256_slli_epi32(right, 16), left));
}

// Four channels of two points of a row, between the pixels to their left and right, times 2^14.
inline __m256 across(const uint8_t* first, const uint8_t* second, __m256i shares, __m256i beside) {
  __m128d both = _mm_load_sd(reinterpret_cast<const double*>(first));
  both = _mm_loadh_pd(both, reinterpret_cast<const double*>(second));
  const __m256i apart = _mm256_permute4x64_epi64(_mm256_castsi128_si256(_mm_castpd_si128(both)), 0x50);
  return _mm256_cvtepi32_ps(_mm256_madd_epi16(_mm256_shuffle_epi8(apart, beside), shares));
}

inline __m256i of_each(int32_t first, int32_t second) {
  return _mm256_set_m128i(_mm_set1_epi32(second), _mm_set1_epi32(first));
}

inline void at_the_edge(const ByteProblem& p, const Block& block, int64_t k, uint8_t* out) {
  float sums[4] = {0, 0, 0, 0};
  for (int tap = 0; tap < 4; tap++) {
    const int64_t x = source_index(block.x[k] + (tap & 1), p.W, p.padding);
    const int64_t y = source_index(block.y[k] + (tap >> 1), p.H, p.padding);
    const float weight = ((tap & 1) ? block.fx[k] : 1 - block.fx[k]) * ((tap >> 1) ? block.fy[k] : 1 - block.fy[k]);
    for (int64_t c = 0; c < p.C; c++) {
      const bool constant = x < 0 || y < 0;
      sums[c] += weight * (constant ? p.fill[c] : p.image[y * p.image_row + x * p.image_pixel + c]);
    }
  }
  for (int64_t c = 0; c < p.C; c++) out[c] = static_cast<uint8_t>(std::min(std::max(sums[c] + .5f, 0.f), 255.f));
}

inline float across(const uint8_t* at, float fx, int64_t pixel) {
  return static_cast<float>(at[0]) + fx * static_cast<float>(at[pixel] - at[0]);
}

inline void gray_block(const ByteProblem& p, const Block& block, uint8_t* out) {
  for (int64_t k = 0; k < BLOCK; k++) {
    const uint8_t* upper = p.image + block.y[k] * p.image_row + block.x[k] * p.image_pixel;
    const float above = across(upper, block.fx[k], p.image_pixel);
    const float below = across(upper + p.image_row, block.fx[k], p.image_pixel);
    out[k * p.out_pixel] = static_cast<uint8_t>(above + block.fy[k] * (below - above) + .5f);
  }
}

// Two pixels at a time, four bytes for each of them.
inline void color_block(const ByteProblem& p, const Block& block, __m256i beside, uint8_t* out) {
  Taps at;
  taps(p, block, at);
  for (int64_t k = 0; k < BLOCK; k += 2) {
    const uint8_t *first = p.image + at.at[k], *second = p.image + at.at[k + 1];
    const __m256i shares = of_each(at.shares[k], at.shares[k + 1]);
    const __m256 above = across(first, second, shares, beside);
    const __m256 below = across(first + p.image_row, second + p.image_row, shares, beside);
    const __m256 fy = _mm256_set_m128(_mm_set1_ps(block.fy[k + 1]), _mm_set1_ps(block.fy[k]));
    const __m256 value = _mm256_fmadd_ps(fy, _mm256_sub_ps(below, above), above);
    const __m256i whole = _mm256_cvttps_epi32(_mm256_fmadd_ps(value, _mm256_set1_ps(1 / UNIT), _mm256_set1_ps(.5f)));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 4 * k), _mm_packus_epi16(words, words));
  }
}

inline void row(const ByteProblem& p, int64_t i, uint8_t* out) {
  const double y = static_cast<double>(i);
  const double first[3] = {p.matrix[1] * y + p.matrix[2], p.matrix[4] * y + p.matrix[5],
                           p.matrix[7] * y + p.matrix[8]};
  // A channel of the left pixel and the same of the right one, as words; of the second point from bytes 8 on.
  const int8_t s = static_cast<int8_t>(p.image_pixel), none = -1;
  const __m128i one = _mm_setr_epi8(0, none, s, none, 1, none, static_cast<int8_t>(s + 1), none, 2, none,
                                    static_cast<int8_t>(s + 2), none, none, none, none, none);
  const __m256i beside = _mm256_set_m128i(one, one);
  // Eight bytes of the last pixels may end beyond the image: of these rows nothing is read by eights.
  const int64_t readable_rows = p.C == 1 ? p.H - 1 : p.H - 2;
  Block block;
  for (int64_t j = 0; j < p.Wo; j += BLOCK) {
    source_points(p, first, j, block);
    uint8_t* to = out + j * p.out_pixel;
    const int64_t n = std::min(BLOCK, p.Wo - j);
    if (n < BLOCK || !inside(p, block, readable_rows)) {
      for (int64_t k = 0; k < n; k++) at_the_edge(p, block, k, to + k * p.out_pixel);
    } else if (p.C == 1) {
      gray_block(p, block, to);
    } else {
      color_block(p, block, beside, to);
    }
  }
}

inline void forward(const ByteProblem& p) {
  parallel(p.Ho, p.threads, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) row(p, i, p.out + i * p.out_row);
  });
}

}  // namespace bytes
}  // namespace stnkit
