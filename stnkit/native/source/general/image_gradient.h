// The gradient to the image of every Problem: planes are summed one by one, each in the order of its output pixels.
#pragma once

#include "forward.h"

namespace stnkit::general {

// Some channels of the gradient to one image.
struct Planes {
  float* data;
  int64_t channels;
  const int64_t* stride;
  bool packed;  // by the layout of the whole image: the roundings of the two ways differ
};

inline void clear(const Problem& p, const Planes& to) {
  for (int64_t c = 0; c < to.channels; c++) {
    float* plane = to.data + c * to.stride[1];
    if (to.stride[3] == 1 && to.stride[2] == p.W) {
      std::fill_n(plane, p.H * p.W, 0.0f);
      continue;
    }
    for (int64_t row = 0; row < p.H; row++) {
      for (int64_t column = 0; column < p.W; column++) plane[row * to.stride[2] + column * to.stride[3]] = 0;
    }
  }
}

template <int T>
inline void scatter(const Problem& p, const Image& of_out, int64_t image, int64_t channel, const Planes& to) {
  Points points;
  Window<T> window;
  Places places;
  const float* given = of_out.data + image * of_out.stride[0] + channel * of_out.stride[1];
  const int64_t per_image = chunks_per_image(p);
  for (int64_t unit = image * per_image; unit < (image + 1) * per_image; unit++) {
    const Chunk chunk = chunk_at(p, unit);
    locate(p, chunk, points);
    window_of(p, points, chunk.n, to.stride, to.packed, false, window);
    places_of(p, chunk, of_out.stride, places);
    if (to.packed) {
      for_every_8th(chunk.n, [&](int t) {
        Active<T> taps;
        active_taps(window, to.stride, false, t, taps);
        alignas(32) float g[BLOCK];
        const float* from = given + places.at[t];
        for (int64_t c = 0; c < to.channels; c++) g[c] = from[c * of_out.stride[1]];
        packed_scatter<T>(to.data, taps, g, to.channels);
      });
    } else {
      float g[CHUNK];
      for (int64_t c = 0; c < to.channels; c++) {
        read_places(given + c * of_out.stride[1], places, g, chunk.n);
        planar_scatter<T>(to.data + c * to.stride[1], g, window, to.stride[2], chunk.n);
      }
    }
  }
}

// Channels of one unit of work: the taps are found once for all of them. No sum depends on it.
inline int64_t channels_per_unit(const Problem& p, bool packed) {
  const int64_t most = packed ? BLOCK : 8, least = packed ? 8 : 1;
  const int64_t shared = p.N * p.C / (4 * std::max(p.threads, 1));
  return std::min(most, std::max(least, shared / least * least));
}

template <int T>
inline void image_gradient(const Problem& p, const Gradients& gradients) {
  const Image& image = gradients.of_image;
  const bool packed = is_packed(p, image.stride);
  const int64_t block = channels_per_unit(p, packed), blocks = (p.C + block - 1) / block;
  parallel(p.N * blocks, threads_for(p), [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t n = unit / blocks, channel = unit % blocks * block, channels = std::min(block, p.C - channel);
      float* target = image.data + n * image.stride[0] + channel * image.stride[1];
      const Planes planes = {target, channels, image.stride, packed};
      clear(p, planes);
      scatter<T>(p, gradients.of_out, n, channel, planes);
    }
  });
}

}  // namespace stnkit::general
