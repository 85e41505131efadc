// The points at time 1.
#pragma once

namespace stnkit::flow {

template <class T>
void forward(const Problem<T>& p) {
  const Charts<T>& charts = p.charts;
  const int64_t n = p.start.points, units = units_of(n), regions = charts.regions;
  parallel(p.batch * units, p.threads, [&](int64_t begin, int64_t end) {
    Stays<T> stays;
    Fields<T> fields(p.coefficients, regions);
    for (int64_t job = begin; job < end; job++) {
      const int64_t b = job / units, row = p.start.shared ? 0 : b;
      const T *coefficients = p.coefficients + 6 * regions * b, *chart = p.start.chart + 2 * n * row;
      const int32_t* order = p.start.order + n * row;
      T *x = p.out + 2 * n * b, *y = x + n;
      fields.reset(coefficients);
      for_runs(p.start, p.start.first + (regions + 1) * row, regions, job % units, [&](int64_t r, int64_t low, int64_t high) {
        const auto& [field, whole] = fields[r];
        for (; low < high; low += Stays<T>::MOST) {
          const int64_t count = std::min(Stays<T>::MOST, high - low);
          const int32_t* to = order + low;
          if (field.reach >= 1) {
            stays.find(field, whole, charts, r, chart + low, chart + n + low, count);
            for (int64_t i = 0; i < count; i++) {
              x[to[i]] = stays.x[i];
              y[to[i]] = stays.y[i];
            }
          } else {
            stays.skip(count);
          }
          for (int64_t j = 0; j < stays.n_others; j++) {
            const int64_t i = stays.others[j];
            Place<T> at{r, chart[low + i], chart[n + low + i]};
            walk(at, fields, charts, [](const Place<T>&, const Field<T>&, T) {});
            const T *o = charts.origin + 2 * at.region, *e = charts.edges + 4 * at.region;
            x[to[i]] = o[0] + (e[0] * at.P + e[1] * at.M);
            y[to[i]] = o[1] + (e[2] * at.P + e[3] * at.M);
          }
        }
      });
    }
  });
}

}  // namespace stnkit::flow
