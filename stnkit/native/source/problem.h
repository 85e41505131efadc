// One warp: out[n, c, i, j] = image[n, c] read at the source point of output pixel (i, j).
#pragma once
#include <cstdint>

namespace stnkit {

// As in stnkit.coordinates and stnkit.families.perspective_divide.
constexpr double OUTSIDE = 1e4, LARGE = 1e20, HORIZON = 1e-6;

// reflection is about the edges of the image, mirror about the centers of its first and last pixels.
enum class Padding : int { zeros = 0, border = 1, reflection = 2, circular = 3, fill = 4, mirror = 5 };

// A bilinear warp changes the source point, not each tap.
inline bool folds(Padding padding) {
  return padding == Padding::border || padding == Padding::reflection || padding == Padding::mirror;
}

// Values are float32. Strides are counted in them, in the order n, c, row, column.
struct Image {
  float* data;
  int64_t stride[4];
};

struct Problem {
  Image image, out;
  int64_t N, C, H, W, Ho, Wo;    // sizes of the image and of the output
  int rows;                      // rows of the matrices: 2 or 3 (projective); 0 where a grid is given
  const float* coordinates;      // matrices (N, rows, 3), contiguous; or a grid of normalized points
  int64_t grid_stride[3];        // of the grid: n, pixel i * Wo + j, coordinate (x before y)
  int taps;                      // per axis: 2 bilinear, 4 bicubic
  float a;                       // of Keys' kernel
  Padding padding;
  const float* fill;             // C values, with Padding::fill
  int threads;
};

// The results of backward; null where one is not wanted. Both are overwritten, not added to.
struct Gradients {
  Image of_out;                  // given
  Image of_image;                // data may be null
  float* of_coordinates;         // as Problem::coordinates, with the same strides for a grid; may be null
};

}  // namespace stnkit
