// The four taps of a point: index of the first, weights, and masks of those within the image.
#pragma once

namespace stnkit::fast {

// The first tap is clamped into the image, so that both of an axis can be read: base = clamp(floor(x), 0, size − 2).
// rest = x − base is in [0, 1) where both taps are the point's own: there floor(x) is not clamped.
STNKIT_INLINE void split(vf x, vf last_base, vf& base, vf& rest, vf& own) {
  const vf first = floor(x);
  base = min(max(first, zero()), last_base);
  rest = sub(x, base);
  own = compare<_CMP_EQ_OQ>(first, base);
}

// Taps of eight points.
struct Sampled {
  alignas(64) int32_t index[CHUNK + MARGIN];  // of the first tap, in pixels
  alignas(64) float x[CHUNK + MARGIN], y[CHUNK + MARGIN];  // rests
  uint8_t inside[CHUNK / LANES + MARGIN];  // one bit for each of eight points: all four taps are within the image
};

constexpr int ALL = 0xff;

// Constants of an image for `put`.
struct Frame {
  vf last_x, last_y;
  vi pitch;
  Frame(const Problem& p, const Source& source)
      : last_x(set(double(p.W - 2))), last_y(set(double(p.H - 2))),
        pitch(_mm256_set1_epi32(static_cast<int>(source.pitch))) {}
};

STNKIT_INLINE void put(Sampled& s, const Frame& frame, int t, vf x, vf y) {
  vf base_x, base_y, rest_x, rest_y, own_x, own_y;
  split(x, frame.last_x, base_x, rest_x, own_x);
  split(y, frame.last_y, base_y, rest_y, own_y);
  store(s.index + t, _mm256_add_epi32(_mm256_mullo_epi32(to_int(base_y), frame.pitch), to_int(base_x)));
  store(s.x + t, rest_x);
  store(s.y + t, rest_y);
  s.inside[t / LANES] = static_cast<uint8_t>(bits(both(own_x, own_y)));
}

// What the adjoint of the points needs beside the taps.
struct Factors {
  alignas(64) float x[CHUNK + MARGIN], y[CHUNK + MARGIN];
  alignas(64) float raw_x[CHUNK + MARGIN], raw_y[CHUNK + MARGIN], inverse[CHUNK + MARGIN];
};

// One chunk of image n. The only loops that are compiled for each kind of points and padding, called once a chunk.
using Locate = void (*)(const Problem&, const Map&, int64_t n, const Chunk&, const Lattice&, const Frame&, Sampled&,
                        Factors*);

template <Points POINTS, Fold FOLD, bool FACTORS>
void locate(const Problem& p, const Map& map, int64_t n, const Chunk& k, const Lattice& lattice, const Frame& frame,
            Sampled& s, Factors* f) {
  visit_points<POINTS, FOLD, FACTORS>(p, map, n, k, lattice, [&](int t, const Eight& e) __attribute__((always_inline)) {
    put(s, frame, t, e.x, e.y);
    if (!FACTORS) return;
    store(f->x + t, e.factor_x);
    store(f->y + t, e.factor_y);
    if (POINTS != Points::projective) return;
    store(f->raw_x + t, e.raw_x);
    store(f->raw_y + t, e.raw_y);
    store(f->inverse + t, e.inverse);
  });
}

// Weights of the two taps of an axis, where some of eight are not the point's own.
struct Edge {
  vf own0, own1;  // masks
  vf w0, w1;      // weights, 0 where masked

  explicit Edge(vf rest)
      : own0(within(rest, -1, 1)), own1(within(rest, 0, 2)) {
    const vf one = set(1);
    w0 = both(own0, min(add(one, rest), sub(one, rest)));
    w1 = both(own1, min(rest, sub(set(2), rest)));
  }
};

// Some tap of one of eight points is within the image.
STNKIT_INLINE bool any_near(const Edge& x, const Edge& y) {
  return bits(both(_mm256_or_ps(x.own0, x.own1), _mm256_or_ps(y.own0, y.own1))) != 0;
}

// Reads nothing of a tap that torch does not read: it may be NaN.
STNKIT_INLINE void mask_taps(const Edge& x, const Edge& y, vf& a, vf& b, vf& c, vf& d) {
  a = both(a, both(x.own0, y.own0));
  b = both(b, both(x.own1, y.own0));
  c = both(c, both(x.own0, y.own1));
  d = both(d, both(x.own1, y.own1));
}

// The largest error of a sum of weights, as in stnkit.samplers.padded.
constexpr float ROUNDING = 64 * 1.1920929e-7f;

// 1 − the sum of the weights within the image; 0 in it, and not only up to rounding.
STNKIT_INLINE vf share_outside(const Edge& x, const Edge& y) {
  const vf share = _mm256_fnmadd_ps(add(x.w0, x.w1), add(y.w0, y.w1), set(1));
  const vf rounding = set(ROUNDING), size = _mm256_andnot_ps(set(-0.), share);
  return both(share, compare<_CMP_GE_OQ>(size, rounding));
}

// A point at the edge of the image: its own taps, and their weights.
struct EdgeTaps {
  int count = 0;
  int64_t offset[4];  // in pixels, from the first tap
  float weight[4];
  int place[4];       // 0 … 3: of (row, column)
  float share = 0;    // outside

  EdgeTaps(float x, float y, int64_t pitch) {
    const float wx[2] = {std::min(1 + x, 1 - x), std::min(x, 2 - x)};
    const float wy[2] = {std::min(1 + y, 1 - y), std::min(y, 2 - y)};
    const bool in_x[2] = {x >= -1 && x < 1, x >= 0 && x < 2}, in_y[2] = {y >= -1 && y < 1, y >= 0 && y < 2};
    float sum_x = 0, sum_y = 0;
    for (int a = 0; a < 2; a++) {
      sum_x += in_x[a] ? wx[a] : 0;
      sum_y += in_y[a] ? wy[a] : 0;
      for (int b = 0; b < 2; b++) {
        if (!in_y[a] || !in_x[b]) continue;
        offset[count] = a * pitch + b;
        weight[count] = wy[a] * wx[b];
        place[count++] = 2 * a + b;
      }
    }
    share = 1 - sum_x * sum_y;
    if (std::fabs(share) < ROUNDING) share = 0;
  }
};

}  // namespace stnkit::fast
