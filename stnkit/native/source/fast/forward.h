// out = Σ of four taps, by float32 weights.
#pragma once

namespace stnkit::fast {

STNKIT_INLINE vf weighted(vf a, vf b, vf c, vf d, vf x0, vf x1, vf y0, vf y1) {
  return fma(fma(a, x0, mul(b, x1)), y0, mul(fma(c, x0, mul(d, x1)), y1));
}

// Eight points, some of which have taps outside of the image.
STNKIT_INLINE vf sample_at_edge(const float* image, int64_t pitch, const int32_t* index, vf x, vf y,
                                const float* fill) {
  const Edge ex(x), ey(y);
  vf value = zero();
  if (any_near(ex, ey)) {
    vf a, b, c, d;
    load_pairs(image, index, a, b);
    load_pairs(image + pitch, index, c, d);
    mask_taps(ex, ey, a, b, c, d);
    value = weighted(a, b, c, d, ex.w0, ex.w1, ey.w0, ey.w1);
  }
  return fill ? fma(_mm256_set1_ps(*fill), share_outside(ex, ey), value) : value;
}

// A chunk of one channel, with contiguous pixels of the image's rows and of the output.
STNKIT_INLINE void sample_planar(const float* image, int64_t pitch, const Sampled& s, const Chunk& k, const float* fill,
                                 float* out, int64_t Wo) {
  const vf one = set(1);
  for (int run = 0; run < k.runs; run++, out += Wo) {
    if (k.runs > 1) prefetch_below(out, Wo, k.length);
    for (int u = 0, t = run * k.pitch; u < k.length; u += LANES, t += LANES) {
      const int left = k.length - u;
      vf value;
      vf a, b, c, d;
      const vf x = load(s.x + t), y = load(s.y + t);
      if (s.inside[t / LANES] == ALL) {
        load_pairs(image, s.index + t, a, b);
        load_pairs(image + pitch, s.index + t, c, d);
        value = weighted(a, b, c, d, sub(one, x), x, sub(one, y), y);
      } else {
        value = sample_at_edge(image, pitch, s.index + t, x, y, fill);
      }
      store_first(out + u, value, left);
    }
  }
}

STNKIT_INLINE void sample_edge(const float* first, const Source& source, int64_t C, float x, float y,
                               const float* fill, float* out) {
  const EdgeTaps taps(x, y, source.pitch);
  for (int64_t c = 0; c < C; c++) out[c] = fill ? fill[c] * taps.share : 0;
  for (int a = 0; a < taps.count; a++) {
    const float* tap = first + taps.offset[a] * source.pixel;
    const float w = taps.weight[a];
    for (int64_t c = 0; c < C; c++) out[c] += w * tap[c];
  }
}

STNKIT_INLINE void sample_inside(const float* first, const Source& source, int64_t C, float x, float y, float* out) {
  const float *second = first + source.pixel, *third = first + source.pitch * source.pixel,
              *fourth = third + source.pixel;
  const float a = (1 - x) * (1 - y), b = x * (1 - y), d = (1 - x) * y, e = x * y;
  int64_t c = 0;
  const vf va = _mm256_set1_ps(a), vb = _mm256_set1_ps(b), vd = _mm256_set1_ps(d), ve = _mm256_set1_ps(e);
  for (; c + LANES <= C; c += LANES) {
    vf value = mul(va, load(first + c));
    value = fma(vb, load(second + c), value);
    value = fma(vd, load(third + c), value);
    store(out + c, fma(ve, load(fourth + c), value));
  }
  for (; c < C; c++) out[c] = a * first[c] + b * second[c] + d * third[c] + e * fourth[c];
}

STNKIT_INLINE __m128 sample_three(const float* first, const float* third, float x, float y) {
  __m128 a, b, c, d;
  load_two_of_three(first, a, b);
  load_two_of_three(third, c, d);
  const __m128 x1 = _mm_set1_ps(x), y1 = _mm_set1_ps(y), x0 = _mm_set1_ps(1 - x), y0 = _mm_set1_ps(1 - y);
  const __m128 up = _mm_fmadd_ps(a, x0, _mm_mul_ps(b, x1)), down = _mm_fmadd_ps(c, x0, _mm_mul_ps(d, x1));
  return _mm_fmadd_ps(up, y0, _mm_mul_ps(down, y1));
}

STNKIT_INLINE void store_three(float* p, __m128 a) {
  _mm_storel_pi(reinterpret_cast<__m64*>(p), a);
  _mm_store_ss(p + 2, _mm_movehl_ps(a, a));
}

// A chunk of all channels, which lie together.
STNKIT_INLINE void sample_channels_last(const Source& source, const float* image, int64_t C, const Sampled& s,
                                        const Chunk& k, const float* fill, float* out, int64_t Wo) {
  const bool three = C == 3 && source.pixel == 3;
  for (int run = 0; run < k.runs; run++, out += Wo * C) {
    float* pixel = out;
    if (k.runs > 1) prefetch_below(out, Wo * C, k.length * C);
    for (int u = 0, t = run * k.pitch; u < k.length; u++, t++, pixel += C) {
      const float* first = image + s.index[t] * source.pixel;
      const bool inside = s.inside[t / LANES] >> t % LANES & 1;
      if (three && inside)
        store_three(pixel, sample_three(first, first + source.pitch * 3, s.x[t], s.y[t]));
      else if (inside)
        sample_inside(first, source, C, s.x[t], s.y[t], pixel);
      else
        sample_edge(first, source, C, s.x[t], s.y[t], fill, pixel);
    }
  }
}

STNKIT_INLINE const float* fill_of(const Problem& p) { return p.padding == Padding::fill ? p.fill : nullptr; }

template <Points POINTS, Fold FOLD>
struct LocateSamples {
  static constexpr Locate function = locate<POINTS, FOLD, false>;
};

inline void forward_of(const Problem& p) {
  const Source source = source_of(p);
  const Tiling tiling(p);
  const float* fill = fill_of(p);
  const Locate locate = select<LocateSamples>(p);
  parallel(p.N * tiling.count, p.threads, [&](int64_t begin, int64_t end) {
    const Lattice lattice(tiling);
    const Frame frame(p, source);
    Sampled s;
    Map map = map_of(p, begin / tiling.count);
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t n = unit / tiling.count;
      const Chunk k = tiling.chunk(unit % tiling.count);
      locate(p, map, n, k, lattice, frame, s, nullptr);
      if (unit + 1 < end) {
        const int64_t next = (unit + 1) / tiling.count;
        if (next != n) map = map_of(p, next);
        prefetch(p, source, map, next, tiling.chunk((unit + 1) % tiling.count));
      }
      const float* image = source.data + n * source.batch;
      float* out = p.out.data + n * p.out.stride[0];
      const int64_t at = k.i0 * p.Wo + k.j0;
      if (source.planar) {
        for (int64_t c = 0; c < p.C; c++)
          sample_planar(image + c * source.channel, source.pitch, s, k, fill ? fill + c : nullptr,
                        out + (p.C == 1 ? 0 : c * p.out.stride[1]) + at, p.Wo);
      } else {
        sample_channels_last(source, image, p.C, s, k, fill, out + at * p.C, p.Wo);
      }
    }
  });
}

}  // namespace stnkit::fast
