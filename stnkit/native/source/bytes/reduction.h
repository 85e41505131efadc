// Means of boxes of an image of bytes.
#pragma once

namespace stnkit {
namespace bytes {

// Sums of `rows` rows, byte by byte: at most 257 of them fit into a word.
inline void column_sums(const uint8_t* image, int64_t stride, int64_t rows, int64_t n, uint16_t* sums) {
  int64_t k = 0;
  for (; k + 32 <= n; k += 32) {
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int64_t i = 0; i < rows; i++) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(image + i * stride + k));
      low = _mm256_add_epi16(low, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(bytes)));
      high = _mm256_add_epi16(high, _mm256_cvtepu8_epi16(_mm256_extracti128_si256(bytes, 1)));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + k), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + k + 16), high);
  }
  for (; k < n; k++) {
    uint16_t sum = 0;
    for (int64_t i = 0; i < rows; i++) sum = static_cast<uint16_t>(sum + image[i * stride + k]);
    sums[k] = sum;
  }
}

// The means of four channels, of `columns` pixels each.
inline void color_means(const uint16_t* sums, int64_t columns, int64_t n, int32_t count, uint8_t* out) {
  const __m128 inverse = _mm_set1_ps(1.f / static_cast<float>(count));
  for (int64_t j = 0; j < n; j++) {
    __m128i sum = _mm_set1_epi32(count / 2);
    for (int64_t k = 0; k < columns; k++, sums += 4) {
      const __m128i words = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(sums));
      sum = _mm_add_epi32(sum, _mm_cvtepu16_epi32(words));
    }
    // Between two quotients, by half a count: more than the rounding of float32, for 2^13 pixels at most.
    const __m128 value = _mm_mul_ps(_mm_add_ps(_mm_cvtepi32_ps(sum), _mm_set1_ps(.5f)), inverse);
    const __m128i words = _mm_packus_epi32(_mm_cvttps_epi32(value), _mm_setzero_si128());
    const int32_t pixel = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    std::memcpy(out + 4 * j, &pixel, 4);
  }
}

inline void gray_means(const uint16_t* sums, int64_t columns, int64_t n, int32_t count, uint8_t* out) {
  for (int64_t j = 0; j < n; j++) {
    int32_t sum = count / 2;
    for (int64_t k = 0; k < columns; k++) sum += *sums++;
    out[j] = static_cast<uint8_t>(sum / count);
  }
}

inline void means(const Reduction& p, const uint16_t* sums, int64_t columns, int64_t n, int64_t count, uint8_t* out) {
  p.channels == 4 ? color_means(sums, columns, n, static_cast<int32_t>(count), out)
                  : gray_means(sums, columns, n, static_cast<int32_t>(count), out);
}

inline void reduce(const Reduction& p) {
  std::vector<uint16_t> sums(static_cast<size_t>(p.W * p.channels));
  const int64_t whole = p.W / p.columns, rest = p.W % p.columns;
  for (int64_t top = 0; top < p.H; top += p.rows) {
    const int64_t rows = std::min(p.rows, p.H - top);
    column_sums(p.image + top * p.image_row, p.image_row, rows, static_cast<int64_t>(sums.size()), sums.data());
    uint8_t* out = p.out + top / p.rows * (whole + (rest > 0)) * p.channels;
    means(p, sums.data(), p.columns, whole, rows * p.columns, out);
    if (rest) means(p, sums.data() + whole * p.columns * p.channels, rest, 1, rows * rest, out + whole * p.channels);
  }
}

}  // namespace bytes
}  // namespace stnkit
