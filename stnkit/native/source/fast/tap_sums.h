// For each point, Σ over channels of the output's gradient times each of its taps.
#pragma once

namespace stnkit::fast {

// Σ over channels of gradient · tap for the four taps, and of gradient · fill.
struct TapSums {
  alignas(64) float tap[4][CHUNK + MARGIN], fill[CHUNK + MARGIN];
};

// A chunk of one channel of the output's gradient with contiguous pixels: as it is, or copied into `room`.
struct Rows {
  const float* data;
  int64_t pitch;
};
STNKIT_INLINE Rows rows_of(const Given& g, int64_t n, int64_t c, const Chunk& k, int64_t Wo, float* room) {
  const float* first = g.data + n * g.n + c * g.c + k.i0 * g.i + k.j0 * g.j;
  if (g.j == 1 && (k.runs > 1 || k.rows == 1 || g.i == Wo)) return {first, g.i};
  if (g.i == 0 && g.j == 0) {  // an expanded gradient, as of a sum
    std::fill(room, room + k.runs * k.pitch, *first);
    return {room, k.pitch};
  }
  int t = 0;
  for (int row = 0; row < k.rows; row++) {
    if (k.runs > 1) t = row * k.pitch;
    for (int column = 0; column < k.columns; column++) room[t++] = first[row * g.i + column * g.j];
  }
  return {room, k.pitch};
}

struct FourTaps {
  vf a, b, c, d;
};

// What is read for the taps of eight points: any pixel for those outside of the image, whose sums are masked later.
STNKIT_INLINE FourTaps taps_of(const float* image, int64_t pitch, const Sampled& s, int t) {
  FourTaps taps = {zero(), zero(), zero(), zero()};
  if (s.inside[t / LANES] == 0 && !any_near(Edge(load(s.x + t)), Edge(load(s.y + t)))) return taps;
  load_pairs(image, s.index + t, taps.a, taps.b);
  load_pairs(image + pitch, s.index + t, taps.c, taps.d);
  return taps;
}

template <bool FIRST>
STNKIT_INLINE void add_taps(TapSums& sums, int t, vf g, const FourTaps& of) {
  const vf taps[4] = {of.a, of.b, of.c, of.d};
  for (int m = 0; m < 4; m++)
    store(sums.tap[m] + t, FIRST ? mul(g, taps[m]) : fma(g, taps[m], load(sums.tap[m] + t)));
}

template <bool FIRST>
STNKIT_INLINE void tap_sums_planar(const float* image, int64_t pitch, const Sampled& s, const Chunk& k, Rows g,
                                   const float* fill, TapSums& sums) {
  for (int run = 0; run < k.runs; run++) {
    if (k.runs > 1) prefetch_below(g.data + run * g.pitch, g.pitch, k.length);
    for (int u = 0, t = run * k.pitch; u < k.length; u += LANES, t += LANES) {
      const vf of_out = load_first(g.data + run * g.pitch + u, k.length - u);
      add_taps<FIRST>(sums, t, of_out, taps_of(image, pitch, s, t));
      if (fill) {
        const vf value = mul(of_out, _mm256_set1_ps(*fill));
        store(sums.fill + t, FIRST ? value : add(value, load(sums.fill + t)));
      }
    }
  }
}

STNKIT_INLINE __m128 dot_taps(const float* g, const float* first, const Source& source, int64_t C) {
  const float *second = first + source.pixel, *third = first + source.pitch * source.pixel,
              *fourth = third + source.pixel;
  vf s0 = zero(), s1 = s0, s2 = s0, s3 = s0;
  int64_t c = 0;
  for (; c + LANES <= C; c += LANES) {
    const vf of_out = load(g + c);
    s0 = fma(of_out, load(first + c), s0);
    s1 = fma(of_out, load(second + c), s1);
    s2 = fma(of_out, load(third + c), s2);
    s3 = fma(of_out, load(fourth + c), s3);
  }
  __m128 total = c ? sums(s0, s1, s2, s3) : _mm_setzero_ps();
  for (; c < C; c++)
    total = _mm_fmadd_ps(_mm_set1_ps(g[c]), _mm_setr_ps(first[c], second[c], third[c], fourth[c]), total);
  return total;
}

STNKIT_INLINE __m128 dot_three(const float* g, const float* first, const float* third) {
  __m128 a, b, c, d;
  load_two_of_three(first, a, b);
  load_two_of_three(third, c, d);
  _MM_TRANSPOSE4_PS(a, b, c, d);  // a, b, c: of channels; d: of what lies beyond
  const __m128 sum = _mm_fmadd_ps(_mm_set1_ps(g[1]), b, _mm_mul_ps(_mm_set1_ps(g[0]), a));
  return _mm_fmadd_ps(_mm_set1_ps(g[2]), c, sum);
}

// The gradient of all channels of one pixel: as it is, or copied into `room`.
STNKIT_INLINE const float* channels_of(const Given& g, int64_t C, const float* pixel, float* room) {
  if (g.c == 1 || C == 1) return pixel;
  for (int64_t c = 0; c < C; c++) room[c] = pixel[c * g.c];
  return room;
}

STNKIT_INLINE void tap_sums_channels_last(const Source& source, const float* image, int64_t C, const Sampled& s,
                                          const Chunk& k, const Given& g, int64_t n, const float* fill, float* room,
                                          TapSums& sums) {
  const bool three = C == 3 && source.pixel == 3;
  for (int row = 0, t = 0; row < k.rows; row++) {
    if (k.runs > 1) t = row * k.pitch;
    const float* pixel = g.data + n * g.n + (k.i0 + row) * g.i + k.j0 * g.j;
    if (k.runs > 1) prefetch_below(pixel, g.i, k.columns * g.j);
    for (int column = 0; column < k.columns; column++, t++, pixel += g.j) {
      const float* of_out = channels_of(g, C, pixel, room);
      const float* first = image + s.index[t] * source.pixel;
      alignas(16) float total[4] = {0};
      if (s.inside[t / LANES] >> t % LANES & 1) {
        _mm_store_ps(total, three ? dot_three(of_out, first, first + source.pitch * 3)
                                  : dot_taps(of_out, first, source, C));
      } else {
        const EdgeTaps taps(s.x[t], s.y[t], source.pitch);
        for (int a = 0; a < taps.count; a++) {
          const float* tap = first + taps.offset[a] * source.pixel;
          float dot = 0;
          for (int64_t c = 0; c < C; c++) dot = __builtin_fmaf(of_out[c], tap[c], dot);
          total[taps.place[a]] = dot;
        }
      }
      for (int m = 0; m < 4; m++) sums.tap[m][t] = total[m];
      if (fill) {
        float dot = 0;
        for (int64_t c = 0; c < C; c++) dot = __builtin_fmaf(of_out[c], fill[c], dot);
        sums.fill[t] = dot;
      }
    }
  }
}

}  // namespace stnkit::fast
