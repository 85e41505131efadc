// Columns of an output row whose source points lie in a box of the image: where w > 0 they are an interval.
#pragma once
#include "source_points.h"

namespace stnkit {
namespace bytes {

struct Span {
  int64_t begin, end;
};

// Of a pixel: more than the rounding of source points.
constexpr double MARGIN = 1.0 / (1 << 16);

// The part of a span with value + slope j >= 0; nothing of it where the numbers overflow.
inline Span where_positive(Span span, double value, double slope) {
  if (!std::isfinite(value) || !std::isfinite(slope)) return {span.begin, span.begin};
  if (slope == 0) return value >= 0 ? span : Span{span.begin, span.begin};
  const double from = static_cast<double>(span.begin), to = static_cast<double>(span.end);
  const double root = -value / slope;
  if (slope > 0) {
    span.begin = static_cast<int64_t>(std::min(std::max(std::ceil(root), from), to));
  } else {
    span.end = static_cast<int64_t>(std::min(std::max(std::floor(root) + 1, from), to));
  }
  return span;
}

// The part of a span with low <= x <= high and the same of y; pixels of the image are at 0, 1, …
inline Span where_inside(const RowMap& map, Span span, const double (&low)[2], const double (&high)[2]) {
  for (int k = 0; k < 2; k++) {
    const double value = map.first[k], slope = map.step[k], w = map.first[2], along = map.step[2];
    span = where_positive(span, value - low[k] * w, slope - low[k] * along);
    span = where_positive(span, high[k] * w - value, high[k] * along - slope);
  }
  return span;
}

}  // namespace bytes
}  // namespace stnkit
