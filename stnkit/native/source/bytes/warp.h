// An image of bytes at the source points of a matrix, bilinearly, rounded to bytes: nothing is kept in float32 but the
// pixel at hand, so that a photograph costs less than its decoding.
#pragma once
#include "spans.h"

#include "blocks.h"
#include "edges.h"

namespace stnkit {
namespace bytes {

// Of the output, at a time: what it reads of the image stays in the cache, in whatever direction its rows run.
constexpr int64_t TILE_ROWS = 128, TILE_COLUMNS = 512;

template <class Points, class Blocks>
void inner_pixels(const ByteProblem& p, const RowMap& map, const Blocks& given, int64_t i, Span span, uint8_t* out) {
  const Blocks blocks = given;  // in registers: bytes that are written could be those of any object
  const int64_t pixel = p.out_pixel;
  const Ahead ahead = ahead_of(p, map, i, static_cast<double>(span.begin + span.end) / 2);
  int64_t j = span.begin;
  Points points(map, j);
  for (; j + BLOCK <= span.end; j += BLOCK) blocks(points.next(), ahead, out + j * pixel);
  // The last ones once more, together with those before them.
  if (j < span.end) blocks(Points(map, span.end - BLOCK).next(), ahead, out + (span.end - BLOCK) * pixel);
}

template <class Blocks>
void row(const ByteProblem& p, const Blocks& blocks, int64_t i, Span columns) {
  const RowMap map = row_map(p, i);
  uint8_t* out = p.out + i * p.out_row;
  const bool constant = p.padding == Padding::zeros || p.padding == Padding::fill;
  const double W = static_cast<double>(p.W), H = static_cast<double>(p.H);
  const Span touching =
      constant ? where_inside(map, columns, {-1 - MARGIN, -1 - MARGIN}, {W + MARGIN, H + MARGIN}) : columns;
  // Eight bytes of the last pixels may end beyond the image: of the last row nothing is read by eights.
  const double lowest = p.C == 1 ? H - 1 : H - 2;
  Span inside = where_inside(map, touching, {MARGIN, MARGIN}, {W - 1 - MARGIN, lowest - MARGIN});
  if (inside.end - inside.begin < BLOCK || (p.C == 1 && p.image_pixel != 1)) inside = {touching.end, touching.end};
  constant_pixels(p, {columns.begin, touching.begin}, out);
  edge_pixels(p, map, {touching.begin, inside.begin}, out);
  if (inside.begin < inside.end) {
    map.affine ? inner_pixels<AffinePoints>(p, map, blocks, i, inside, out)
               : inner_pixels<ProjectivePoints>(p, map, blocks, i, inside, out);
  }
  edge_pixels(p, map, {inside.end, touching.end}, out);
  constant_pixels(p, {touching.end, columns.end}, out);
}

template <class Blocks>
void rows(const ByteProblem& p, int64_t begin, int64_t end) {
  const Blocks blocks(p);
  for (int64_t upper = begin; upper < end; upper += TILE_ROWS) {
    for (int64_t left = 0; left < p.Wo; left += TILE_COLUMNS) {
      const Span columns{left, std::min(left + TILE_COLUMNS, p.Wo)};
      for (int64_t i = upper; i < std::min(upper + TILE_ROWS, end); i++) row(p, blocks, i, columns);
    }
  }
}

inline void forward(const ByteProblem& p) {
  parallel(p.Ho, p.threads, [&](int64_t begin, int64_t end) {
    p.C == 1 ? rows<GrayBlocks>(p, begin, end) : rows<ColorBlocks>(p, begin, end);
  });
}

}  // namespace bytes
}  // namespace stnkit
