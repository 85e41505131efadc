// Memory formats of images that the fast kernels take.
#pragma once

#define STNKIT_INLINE static inline __attribute__((always_inline))

namespace stnkit::fast {

// Strides along an axis of one element have no meaning in torch.
STNKIT_INLINE bool is_stride(int64_t stride, int64_t length, int64_t expected) {
  return length == 1 || stride == expected;
}
// The pixels of a channel in one piece.
STNKIT_INLINE bool is_planar(const Image& image, int64_t h, int64_t w) {
  return is_stride(image.stride[3], w, 1) && is_stride(image.stride[2], h, w);
}
// The channels of all pixels in one piece.
STNKIT_INLINE bool is_channels_last(const Image& image, int64_t c, int64_t h, int64_t w) {
  return is_stride(image.stride[1], c, 1) && is_stride(image.stride[3], w, c) && is_stride(image.stride[2], h, w * c);
}

// An image that is read: pixel (i, j) of channel c is at (i · pitch + j) · pixel + c · channel.
struct Source {
  const float* data;
  int64_t batch, channel, pixel, pitch;
  bool planar;
};

STNKIT_INLINE Source source_of(const Problem& p) {
  const int64_t* s = p.image.stride;
  const bool planar = s[3] == 1;
  const float* data = p.image.data;
  return {data, s[0], p.C == 1 ? 0 : s[1], s[3], planar ? s[2] : s[2] / s[3], planar};
}

// Rows of an image may be apart (a crop), and images or channels the same (an expanded tensor).
STNKIT_INLINE bool takes_image(const Problem& p) {
  const int64_t* s = p.image.stride;
  if (s[2] < 1 || s[3] < 1) return false;
  const bool planar = s[3] == 1, last = (p.C == 1 || s[1] == 1) && s[2] % s[3] == 0;
  if (!planar && !last) return false;
  // The index of a pixel is an int32, and its row and column are exact in a float.
  return s[2] / s[3] <= (int64_t{1} << 31) / p.H - 1 && p.W <= 1 << 24 && p.H <= 1 << 24;
}

STNKIT_INLINE bool takes_out(const Problem& p) {
  if (source_of(p).planar) return is_planar(p.out, p.Ho, p.Wo);
  return is_channels_last(p.out, p.C, p.Ho, p.Wo);
}

// The gradient of the output, in any strides: rows of it are copied where they are not contiguous.
struct Given {
  const float* data;
  int64_t n, c, i, j;
};

STNKIT_INLINE Given given_of(const Image& image) {
  const int64_t* s = image.stride;
  return {image.data, s[0], s[1], s[2], s[3]};
}

}  // namespace stnkit::fast
