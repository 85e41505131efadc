// Source points of an output row: eight at a time, as the upper left tap and the shares of the others.
#pragma once

namespace stnkit {
namespace bytes {

// Of the coordinates of a source point: pixels beyond are outside of every image, and fit into an integer.
constexpr double FARTHEST = 1e8;
constexpr int64_t BLOCK = 8;

// A source point for each pixel of a block: its upper left tap and the weights of the others.
struct Block {
  __m256i x, y;
  __m256 fx, fy;
};

// x, y and w of an output row, linear in its column.
struct RowMap {
  double first[3], step[3];
  bool affine;
};

inline RowMap row_map(const ByteProblem& p, int64_t i) {
  const double y = static_cast<double>(i);
  const double* m = p.matrix;
  return {{m[1] * y + m[2], m[4] * y + m[5], m[7] * y + m[8]},
          {m[0], m[3], m[6]},
          m[6] == 0 && m[7] == 0 && m[8] == 1};
}

inline void split(__m256d value, __m128i& whole, __m128& part) {
  const __m256d far = _mm256_set1_pd(FARTHEST);
  value = _mm256_min_pd(_mm256_max_pd(value, _mm256_sub_pd(_mm256_setzero_pd(), far)), far);
  const __m256d floor = _mm256_floor_pd(value);
  whole = _mm256_cvtpd_epi32(floor);
  part = _mm256_cvtpd_ps(_mm256_sub_pd(value, floor));
}

// (step j + first) / w of eight points of a row, wherever they lie.
inline Block source_points(const RowMap& map, int64_t j) {
  __m128i x[2], y[2];
  __m128 fx[2], fy[2];
  const __m256d steps = _mm256_setr_pd(0, 1, 2, 3);
  for (int half = 0; half < 2; half++) {
    const __m256d column = _mm256_add_pd(_mm256_set1_pd(static_cast<double>(j + 4 * half)), steps);
    const auto along = [&](int k) {
      return _mm256_fmadd_pd(column, _mm256_set1_pd(map.step[k]), _mm256_set1_pd(map.first[k]));
    };
    __m256d at_x = along(0), at_y = along(1);
    if (!map.affine) {
      const __m256d w = along(2);
      at_x = _mm256_div_pd(at_x, w);
      at_y = _mm256_div_pd(at_y, w);
    }
    split(at_x, x[half], fx[half]);
    split(at_y, y[half], fy[half]);
  }
  return {_mm256_set_m128i(x[1], x[0]), _mm256_set_m128i(y[1], y[0]), _mm256_set_m128(fx[1], fx[0]),
          _mm256_set_m128(fy[1], fy[0])};
}

// Points of an affine row as integers, eight further at each call: a quarter of the work. They are off by 2^-20 pixels
// at most within a tile.
class AffinePoints {
 public:
  AffinePoints(const RowMap& map, int64_t j) : x_(map, 0, j), y_(map, 1, j) {}

  Block next() {
    const Block block{x_.whole, y_.whole, x_.share(), y_.share()};
    x_.advance();
    y_.advance();
    return block;
  }

 private:
  struct Coordinate {
    static constexpr int FRACTION = 30;  // bits
    static constexpr double ONE = 1 << FRACTION;

    Coordinate(const RowMap& map, int k, int64_t j) {
      alignas(32) int32_t whole_of[BLOCK], part_of[BLOCK];
      for (int64_t i = 0; i < BLOCK; i++) {
        const double at = map.step[k] * static_cast<double>(j + i) + map.first[k], floor = std::floor(at);
        whole_of[i] = static_cast<int32_t>(floor);
        part_of[i] = static_cast<int32_t>((at - floor) * (ONE - 1));
      }
      whole = _mm256_load_si256(reinterpret_cast<const __m256i*>(whole_of));
      part = _mm256_load_si256(reinterpret_cast<const __m256i*>(part_of));
      const double step = map.step[k] * BLOCK, floor = std::floor(step);
      whole_step = _mm256_set1_epi32(static_cast<int32_t>(floor));
      part_step = _mm256_set1_epi32(static_cast<int32_t>((step - floor) * (ONE - 1)));
    }

    __m256 share() const { return _mm256_mul_ps(_mm256_cvtepi32_ps(part), _mm256_set1_ps(static_cast<float>(1 / ONE))); }

    void advance() {
      const __m256i sum = _mm256_add_epi32(part, part_step);
      whole = _mm256_add_epi32(_mm256_add_epi32(whole, whole_step), _mm256_srli_epi32(sum, FRACTION));
      part = _mm256_and_si256(sum, _mm256_set1_epi32((1 << FRACTION) - 1));
    }

    __m256i whole, part, whole_step, part_step;
  };

  Coordinate x_, y_;
};

// The same for any matrix.
class ProjectivePoints {
 public:
  ProjectivePoints(const RowMap& map, int64_t j) : map_(map), j_(j) {}

  Block next() {
    const Block block = source_points(map_, j_);
    j_ += BLOCK;
    return block;
  }

 private:
  const RowMap map_;
  int64_t j_;
};

}  // namespace bytes
}  // namespace stnkit
