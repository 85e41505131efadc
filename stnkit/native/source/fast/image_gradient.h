// The gradient to the image: of_image[tap] += weight · of_out.
#pragma once

namespace stnkit::fast {

inline void add_share_planar(const Problem& p, const Gradients& gradients, const Share& share, const Strips& strips,
                             const Lattice& lattice, Cells& cells, Scratch& scratch, float* room) {
  const Given given = given_of(gradients.of_out);
  const Map map = map_of(p, share.n);
  const int64_t stride = p.C == 1 ? 0 : gradients.of_image.stride[1];
  float* image = gradients.of_image.data + share.n * gradients.of_image.stride[0];
  const bool one = is_one_window(p, strips);
  for (int64_t c = share.first; !one && c < share.last; c++)
    std::memset(image + c * stride + share.begin * p.W, 0, sizeof(float) * (share.end - share.begin) * p.W);
  for (int64_t strip = 0; strip < strips.count; strip++) {
    const Window w = one ? window_of_image(p) : locate_strip(p, map, share.n, strips, strip, lattice, cells);
    if (w.empty() || w.row + w.rows < share.begin || w.row >= share.end) continue;
    const bool together = one || w.is_dense();
    for (int a = 0; a < strips.chunks(strip); a++) {
      if (one) {
        select<WeighImageOf>(p)(p, map, share.n, strips.chunk(strip, a), lattice, a * CHUNK, cells);
        continue;
      }
      const Chunk k = strips.chunk(strip, a);
      const int n = (k.runs - 1) * k.pitch + k.length;
      weigh_cells(cells, a * CHUNK, n);
      if (together) index_cells(cells, w, a * CHUNK, n);
    }
    for (int64_t c = share.first; c < share.last; c++) {
      const Plane plane{image + c * stride, p.H, p.W, share.begin, share.end};
      for (int a = 0; a < strips.chunks(strip); a++) {
        const Chunk k = strips.chunk(strip, a);
        const Rows g = rows_of(given, share.n, c, k, p.Wo, room);
        for (int run = 0; run < k.runs; run++) {
          const int t = a * CHUNK + run * k.pitch;
          const float* of_out = g.data + run * g.pitch;
          if (k.runs > 1) prefetch_below(of_out, g.pitch, k.length);
          if (together)
            add_to_cells(scratch.cells, cells.index + t, cells.weight + 4 * t, of_out, k.length);
          else
            add_points(cells, t, of_out, k.length, plane);
        }
      }
      if (one)
        add_window<false>(scratch.cells, w, plane);
      else if (together)
        add_window<true>(scratch.cells, w, plane);
    }
  }
}

STNKIT_INLINE void add_scaled(float* to, float w, const float* g, int64_t n) {
  int64_t c = 0;
  const vf weight = _mm256_set1_ps(w);
  for (; c + LANES <= n; c += LANES) store(to + c, fma(weight, load(g + c), load(to + c)));
  for (; c < n; c++) to[c] = __builtin_fmaf(w, g[c], to[c]);
}

inline void add_share_channels_last(const Problem& p, const Gradients& gradients, const Share& share,
                                    const Strips& strips, const Lattice& lattice, Cells& cells, Scratch& scratch,
                                    float* room) {
  const Given given = given_of(gradients.of_out);
  const Map map = map_of(p, share.n);
  const int64_t channels = share.last - share.first;
  float* image = gradients.of_image.data + share.n * gradients.of_image.stride[0] + share.first;
  if (channels == p.C) {
    std::memset(image + share.begin * p.W * p.C, 0, sizeof(float) * (share.end - share.begin) * p.W * p.C);
  } else {
    for (int64_t pixel = share.begin * p.W; pixel < share.end * p.W; pixel++)
      std::memset(image + pixel * p.C, 0, sizeof(float) * channels);
  }
  for (int64_t strip = 0; strip < strips.count; strip++) {
    const Window w = locate_strip(p, map, share.n, strips, strip, lattice, cells);
    if (w.empty() || w.row + w.rows < share.begin || w.row >= share.end) continue;
    const bool together = (p.C == 3 || p.C == 4) && w.is_dense();
    for (int a = 0; a < strips.chunks(strip); a++) {
      const Chunk k = strips.chunk(strip, a);
      weigh_cells(cells, a * CHUNK, (k.runs - 1) * k.pitch + k.length);
      if (together) index_cells(cells, w, a * CHUNK, (k.runs - 1) * k.pitch + k.length);
      for (int row = 0, t = a * CHUNK; row < k.rows; row++) {
        if (k.runs > 1) t = a * CHUNK + row * k.pitch;
        const float* pixel =
            given.data + share.n * given.n + share.first * given.c + (k.i0 + row) * given.i + k.j0 * given.j;
        if (k.runs > 1) prefetch_below(pixel, given.i, k.columns * given.j);
        for (int column = 0; column < k.columns; column++, t++, pixel += given.j) {
          const int64_t y = cells.row[t], x = cells.column[t];
          if (y == NOWHERE) continue;
          const float* g = channels_of(given, channels, pixel, room);
          if (together) {
            add_to_pixels(scratch.cells + 4 * int64_t{cells.index[t]}, w.columns + 2, cells.weight + 4 * t,
                          load_channels(g, p.C));
            continue;
          }
          for (int tap = 0; tap < 4; tap++) {
            const int64_t of_y = y + tap / 2, of_x = x + tap % 2;
            if (of_y >= share.begin && of_y < share.end && of_x >= 0 && of_x < p.W)
              add_scaled(image + (of_y * p.W + of_x) * p.C, cells.weight[4 * t + tap], g, channels);
          }
        }
      }
    }
    if (together) add_pixels(scratch.cells, w, share, image, p.C, p.W);
  }
}

// Each pixel is a sum in the order of the output's, by whatever threads: the bits do not depend on the shares.
inline void image_of(const Problem& p, const Gradients& gradients) {
  const Tiling tiling(p);
  const Strips strips(tiling);
  const bool planar = is_planar(gradients.of_image, p.H, p.W);
  // Channels in whole vectors, so that each is computed alike in every share.
  const int64_t threads = p.threads, step = planar ? 1 : LANES;
  int64_t groups = 1, bands = 1;
  if (p.N % threads != 0 && p.N < 8 * threads) {
    if (p.C >= 2 * LANES * threads)
      groups = threads;
    else if (strips.count >= 4 * threads)
      bands = threads;
    else
      groups = std::max<int64_t>(1, std::min(p.C / step, threads));
  }
  const auto first_channel = [&](int64_t group) { return group == groups ? p.C : p.C * group / groups / step * step; };
  parallel(p.N * groups * bands, p.threads, [&](int64_t begin, int64_t end) {
    const Lattice lattice(tiling);
    const std::unique_ptr<Cells> cells(new Cells);
    Scratch scratch(p);
    std::vector<float> room(planar ? CHUNK + MARGIN : p.C);
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t n = unit / (groups * bands), group = unit / bands % groups, band = unit % bands;
      const Share share{n, p.H * band / bands, p.H * (band + 1) / bands, first_channel(group),
                        first_channel(group + 1)};
      if (planar)
        add_share_planar(p, gradients, share, strips, lattice, *cells, scratch, room.data());
      else
        add_share_channels_last(p, gradients, share, strips, lattice, *cells, scratch, room.data());
    }
  });
}

}  // namespace stnkit::fast
