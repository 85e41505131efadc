// One warp, and one reduction, of an image of bytes: channels side by side in memory.
#pragma once
#include <cstdint>

#include "../problem.h"

namespace stnkit {

struct ByteProblem {
  const uint8_t* image;
  uint8_t* out;                      // with four bytes for each pixel of more than one channel
  int64_t H, W, C, Ho, Wo;           // sizes of the image and of the output; 1, 3 or 4 channels
  int64_t image_row, image_pixel;    // strides in bytes
  int64_t out_row, out_pixel;
  double matrix[9];                  // from pixels of the output to pixels of the image; w is above 0 everywhere
  Padding padding;
  float fill[4];                     // the constant of zeros and fill
  int threads;
};

// out[i, j] = mean of the box of rows x columns pixels at (rows i, columns j), or of what the image has of it, rounded.
struct Reduction {
  const uint8_t* image;
  uint8_t* out;                      // contiguous
  int64_t H, W, channels;            // of the image; 1 or 4 channels, of the output too
  int64_t rows, columns;             // of a box; rows to 257, rows x columns to 2^13
  int64_t image_row;                 // stride in bytes
};

}  // namespace stnkit
