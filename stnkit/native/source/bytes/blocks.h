// Eight pixels at a time whose taps all lie on the image.
#pragma once
#include "ahead.h"

namespace stnkit {
namespace bytes {

// Of the shares of a column: the left and the right one make 2^15 - 1, so that both fit into a word.
constexpr int32_t UNIT = (1 << 15) - 1;

// The shares of the left and the right tap of each point, as words.
inline __m256i shares(__m256 fx) {
  const __m256i right = _mm256_cvtps_epi32(_mm256_mul_ps(fx, _mm256_set1_ps(UNIT)));
  return _mm256_or_si256(_mm256_slli_epi32(right, 16), _mm256_sub_epi32(_mm256_set1_epi32(UNIT), right));
}

// The memory of an image, by value: what is written to the output is no part of it.
struct Pixels {
  explicit Pixels(const ByteProblem& p)
      : image(p.image), row(p.image_row), row_bytes(_mm256_set1_epi32(static_cast<int32_t>(p.image_row))),
        pixel_bytes(_mm256_set1_epi32(static_cast<int32_t>(p.image_pixel))) {}

  // Of the upper left taps, in bytes.
  void offsets(const Block& block, const Ahead& ahead, int32_t* at) const {
    const __m256i rows = _mm256_mullo_epi32(block.y, row_bytes), columns = _mm256_mullo_epi32(block.x, pixel_bytes);
    _mm256_store_si256(reinterpret_cast<__m256i*>(at), _mm256_add_epi32(rows, columns));
    ahead.ask_for(image, at);
  }

  const uint8_t* image;
  int64_t row;
  __m256i row_bytes, pixel_bytes;
};

// Between the upper and the lower row, rounded: both are words of bytes times UNIT.
inline __m256i down(__m256i above, __m256i below, __m256 fy) {
  const __m256 upper = _mm256_cvtepi32_ps(above), lower = _mm256_cvtepi32_ps(below);
  const __m256 value = _mm256_fmadd_ps(fy, _mm256_sub_ps(lower, upper), upper);
  return _mm256_cvttps_epi32(_mm256_fmadd_ps(value, _mm256_set1_ps(1.f / UNIT), _mm256_set1_ps(.5f)));
}

// Two pixels of four bytes, a lane each.
class ColorBlocks {
 public:
  explicit ColorBlocks(const ByteProblem& p) : pixels_(p) {
    // A channel of the left pixel and the same of the right one, as words; the lower row from bytes 8 on.
    const int s = static_cast<int>(p.image_pixel);
    alignas(16) int8_t upper[16], lower[16];
    for (int k = 0; k < 16; k++) {
      const bool empty = (k & 1) || k >= 12;
      const int from = k / 4 + ((k & 2) ? s : 0);
      upper[k] = static_cast<int8_t>(empty ? -1 : from);
      lower[k] = static_cast<int8_t>(empty ? -1 : from + 8);
    }
    upper_ = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(upper)));
    lower_ = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(lower)));
  }

  void operator()(const Block& block, const Ahead& ahead, uint8_t* out) const {
    alignas(32) int32_t at[BLOCK];
    pixels_.offsets(block, ahead, at);
    const __m256i across = shares(block.fx);
    // Pixels 0 and 4 side by side, then 1 and 5, and so on: each of them stays in its half.
    const __m256i first = two<0x00>(block.fy, across, at[0], at[4]), second = two<0x55>(block.fy, across, at[1], at[5]);
    const __m256i third = two<0xaa>(block.fy, across, at[2], at[6]), fourth = two<0xff>(block.fy, across, at[3], at[7]);
    const __m256i made = _mm256_packus_epi16(_mm256_packus_epi32(first, second), _mm256_packus_epi32(third, fourth));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), made);
  }

 private:
  // The four taps of a point: eight bytes of the upper row, and of the lower one.
  __m128i taps(int32_t at) const {
    const uint8_t* upper = pixels_.image + at;
    // Bytes at any address: loads of a double would promise an aligned one.
    const __m128i first = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(upper));
    return _mm_unpacklo_epi64(first, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(upper + pixels_.row)));
  }

  template <int which>
  __m256i two(__m256 fy, __m256i across, int32_t left, int32_t right) const {
    const __m256i all = _mm256_set_m128i(taps(right), taps(left)), shares = _mm256_shuffle_epi32(across, which);
    const __m256i above = _mm256_madd_epi16(_mm256_shuffle_epi8(all, upper_), shares);
    const __m256i below = _mm256_madd_epi16(_mm256_shuffle_epi8(all, lower_), shares);
    return down(above, below, _mm256_permute_ps(fy, which));
  }

  Pixels pixels_;
  __m256i upper_, lower_;
};

// Eight pixels of one byte, side by side in memory.
class GrayBlocks {
 public:
  explicit GrayBlocks(const ByteProblem& p) : pixels_(p) {}

  void operator()(const Block& block, const Ahead& ahead, uint8_t* out) const {
    alignas(32) int32_t at[BLOCK];
    pixels_.offsets(block, ahead, at);
    const __m256i all = _mm256_set_m128i(four(at + 4), four(at));
    // Of a point the bytes upper left, upper right, lower left, lower right.
    const __m256i words = _mm256_set1_epi32(0x00ff00ff);
    const __m256i left = _mm256_and_si256(all, words), right = _mm256_and_si256(_mm256_srli_epi16(all, 8), words);
    const __m256i across = shares(block.fx);
    const __m256i above = _mm256_madd_epi16(_mm256_blend_epi16(left, _mm256_slli_epi32(right, 16), 0xaa), across);
    const __m256i below = _mm256_madd_epi16(_mm256_blend_epi16(_mm256_srli_epi32(left, 16), right, 0xaa), across);
    const __m256i value = down(above, below, block.fy);
    const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(packed, packed));
  }

 private:
  int32_t taps(int32_t at) const {
    uint16_t upper, lower;
    std::memcpy(&upper, pixels_.image + at, 2);
    std::memcpy(&lower, pixels_.image + at + pixels_.row, 2);
    return static_cast<int32_t>(upper | static_cast<uint32_t>(lower) << 16);
  }

  __m128i four(const int32_t* at) const { return _mm_setr_epi32(taps(at[0]), taps(at[1]), taps(at[2]), taps(at[3])); }

  Pixels pixels_;
};

}  // namespace bytes
}  // namespace stnkit
