// Every Problem: any strides, sizes, padding and number of taps. Also the reference for the fast path.
#pragma once
#include "coordinate_gradient.h"
#include "forward.h"
#include "image_gradient.h"

namespace stnkit::general {

inline void forward(const Problem& p) {
  if (p.N == 0 || p.C == 0 || p.Ho == 0 || p.Wo == 0) return;
  p.taps == 4 ? forward_of<4>(p) : forward_of<2>(p);
}

template <int T>
inline void backward_of(const Problem& p, const Gradients& gradients) {
  if (gradients.of_coordinates) coordinate_gradient<T>(p, gradients);
  if (gradients.of_image.data && p.C > 0) image_gradient<T>(p, gradients);
}

inline void backward(const Problem& p, const Gradients& gradients) {
  if (p.N == 0) return;
  p.taps == 4 ? backward_of<4>(p, gradients) : backward_of<2>(p, gradients);
}

}  // namespace stnkit::general
