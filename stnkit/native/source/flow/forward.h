// The points at time 1.
#pragma once

namespace stnkit::flow {

// Points at the end of their way: from their charts to the output.
template <class T>
struct Ends {
  static constexpr int64_t N = Lanes<T>::N;
  using Values = typename Lanes<T>::Values;
  int64_t count = 0;
  T P[Wave<T>::MOST + N], M[Wave<T>::MOST + N];
  typename Lanes<T>::Integer region[Wave<T>::MOST + N], point[Wave<T>::MOST + N];

  void put(int set, const Values& p, const Values& m, const typename Lanes<T>::Mask& r,
           const typename Lanes<T>::Mask& number) {
    store_packed(P + count, p, set);
    store_packed(M + count, m, set);
    store_packed(region + count, r, set);
    store_packed(point + count, number, set);
    count += __builtin_popcount(static_cast<unsigned>(set));
  }

  // x and y: the planes of the output; order: index in them of each point of the unit.
  void place(const Geometry<T>& geometry, const int32_t* order, T* x, T* y) {
    store(region + count, typename Lanes<T>::Mask{});
    for (int64_t i = 0; i < count; i += N) {
      Values o[8];
      read_records(geometry.places.data(), &region[i], o);
      const Values p = load<Values>(P + i), m = load<Values>(M + i);
      const Values to_x = o[0] + (o[2] * p + o[3] * m), to_y = o[1] + (o[4] * p + o[5] * m);
      for (int64_t lane = 0; lane < std::min(N, count - i); lane++) {
        x[order[point[i + lane]]] = to_x[lane];
        y[order[point[i + lane]]] = to_y[lane];
      }
    }
    count = 0;
  }
};

template <class T>
void forward(const Problem<T>& p) {
  constexpr int64_t N = Lanes<T>::N;
  using Values = typename Lanes<T>::Values;
  const int64_t n = p.start.points, units = units_of(n), regions = p.charts.regions;
  parallel(p.batch * units, p.threads, [&](int64_t begin, int64_t end) {
    const Geometry<T> geometry(p.charts);
    Fields<T> fields(p.charts);
    const auto wave = std::make_unique<Wave<T>>();
    const auto ends = std::make_unique<Ends<T>>();
    for (int64_t job = begin; job < end; job++) {
      const int64_t b = job / units, row = p.start.shared ? 0 : b, from = job % units * UNIT;
      const T* chart = p.start.chart + 2 * n * row;
      const int32_t* order = p.start.order + n * row;
      T *x = p.out + 2 * n * b, *y = x + n;
      fields.reset(p.coefficients + 6 * regions * b);
      const auto finish = [&] {
        follow(*wave, fields, geometry, [](const auto&...) {}, [] {}, [&](const auto&... end) { ends->put(end...); });
        ends->place(geometry, order + from, x, y);
      };
      for_runs(p.start, p.start.first + (regions + 1) * row, regions, job % units, [&](int64_t r, int64_t low, int64_t high) {
        const Stays<T> stays(fields, geometry, r);
        const bool quick = fields.is_quick(r);
        for (int64_t i = low; i < high; i += N) {
          const int64_t count = std::min(N, high - i);
          const Values P = load<Values>(chart + i, count), M = load<Values>(chart + n + i, count);
          int others = static_cast<int>((int64_t(1) << count) - 1);
          if (quick) {
            Values to_x, to_y;
            others &= ~bits(stays.find(P, M, to_x, to_y));
            for (int64_t lane = 0; lane < count; lane++) {
              x[order[i + lane]] = to_x[lane];
              y[order[i + lane]] = to_y[lane];
            }
          }
          if (!others) continue;
          wave->add(others, r, i - from, P, M);
          if (wave->is_full()) finish();
        }
      });
      finish();
    }
  });
}

}  // namespace stnkit::flow
