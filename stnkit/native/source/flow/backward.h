// The gradients to the coefficients and to the points: with the adjoint a(t), ∫ a (1, P, M) dt over the time in a region.
#pragma once

namespace stnkit::flow {

// Adds the integral over a whole unit of time for the points that stay in their regions: `moments` are, for each region,
// their sum of a(1) (1, P, M). It is linear in them, so that the points of a region cost one rule together.
template <class T>
void add_stays(const Fields<T>& fields, const double* moments, double* sums) {
  static const Rule<Numbers<T>::NODES> rule;
  constexpr int64_t N = Lanes<double>::N;
  for (int64_t r = 0; r < fields.regions; r += N) {
    double wide[8 * N]{};
    for (int64_t i = r; i < std::min(r + N, fields.regions); i++)
      if (fields.is_quick(i))  // others have no such points, and series that do not converge
        for (int64_t j = 0; j < 6; j++) wide[8 * (i - r) + j] = static_cast<double>(fields.records[static_cast<size_t>(8 * i + j)]);
    const auto lanes = lane_numbers<double>();
    Doubles w[8], given[8], found[8]{};
    read_records(wide, lanes, w);
    read_records(moments + 8 * r, lanes, given);
    const Doubles trace = w[2] + w[5], determinant = w[2] * w[5] - w[3] * w[4];
    const Doubles change[2] = {w[2] * w[0] + w[4] * w[1], w[3] * w[0] + w[5] * w[1]};
    for (size_t i = 0; i < rule.node.size(); i++) {
      const Series<double> before(rule.node[i], trace, determinant, fields.terms),
          after(1 - rule.node[i], trace, determinant, fields.terms);
      // (P, M) at the node: o + E (P, M), with E = identity I + linear A.
      const Doubles o[2] = {before.alpha * w[0] + before.beta * change[0], before.alpha * w[1] + before.beta * change[1]};
      const Doubles e[4] = {before.identity + before.linear * w[2], before.linear * w[4], before.linear * w[3],
                            before.identity + before.linear * w[5]};
      Doubles at[6];
      for (int k = 0; k < 2; k++) {
        const Doubles one = given[k], p = given[2 + k], m = given[4 + k];
        at[k] = one;
        at[2 + k] = o[0] * one + e[0] * p + e[1] * m;
        at[4 + k] = o[1] * one + e[2] * p + e[3] * m;
      }
      for (int j = 0; j < 6; j += 2) {  // exp(tAᵀ) of each
        const Doubles a = at[j], c = at[j + 1];
        found[j] += rule.weight[i] * (after.identity * a + after.linear * (w[2] * a + w[3] * c));
        found[j + 1] += rule.weight[i] * (after.identity * c + after.linear * (w[4] * a + w[5] * c));
      }
    }
    add_to_records(found, lanes, sums + 8 * r);
  }
}

inline Doubles halves(const Doubles& a) { return a; }
inline Doubles halves(const Floats& a) {
  return (Doubles)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)a)) +
         (Doubles)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)a, 1));
}

// The gradients of one field after the other, with the memory for that.
template <class T>
class Gradients {
  static constexpr int64_t N = Lanes<T>::N;
  using Values = typename Lanes<T>::Values;
  const Problem<T>& p;
  const int64_t n = p.start.points, regions = p.charts.regions;
  const Geometry<T> geometry{p.charts};
  Fields<T> fields{p.charts};
  Wave<T> wave;
  Trail<T> trail;
  std::vector<double> moments, sums;
  T x[UNIT + N]{}, y[UNIT + N]{};  // the gradients of the points that are followed, in a unit
  const int32_t* order;            // index in the planes of each point of the unit
  T *to_x, *to_y;

 public:
  explicit Gradients(const Problem<T>& problem) : p(problem) {}

  void find(int64_t b, int64_t unit, double* partial) {
    const int64_t row = p.start.shared ? 0 : b, from = unit * UNIT;
    const T *chart = p.start.chart + 2 * n * row + from, *of_x = p.out + 2 * n * b, *of_y = of_x + n;
    const size_t records = static_cast<size_t>(8 * (regions + Lanes<double>::N));
    order = p.start.order + n * row + from;
    to_x = p.of_points ? p.of_points + 2 * n * b : nullptr, to_y = to_x + n;
    moments.assign(records, 0.0);
    sums.assign(records, 0.0);
    fields.reset(p.coefficients + 6 * regions * b);
    for_runs(p.start, p.start.first + (regions + 1) * row, regions, unit, [&](int64_t r, int64_t low, int64_t high) {
      Doubles moment[6]{};
      for (int64_t i = low - from; i < high - from; i += N) {
        const int64_t count = std::min(N, high - from - i);
        const Values P = load<Values>(chart + i, count), M = load<Values>(chart + n + i, count);
        Values gx{}, gy{};
        for (int64_t lane = 0; lane < count; lane++) gx[lane] = of_x[order[i + lane]], gy[lane] = of_y[order[i + lane]];
        const int others = add_group(r, i, count, P, M, gx, gy, moment);
        if (!others) continue;
        for (int64_t lane = 0; lane < count; lane++) x[i + lane] = gx[lane], y[i + lane] = gy[lane];
        wave.add(others, r, i, P, M);
        if (wave.is_full()) finish();
      }
      for (int64_t j = 0; j < 6; j++)
        for (int64_t lane = 0; lane < Lanes<double>::N; lane++) moments[static_cast<size_t>(8 * r + j)] += moment[j][lane];
    });
    finish();
    add_stays(fields, moments.data(), sums.data());
    for (int64_t r = 0; r < regions; r++) std::copy_n(&sums[static_cast<size_t>(8 * r)], 6, partial + 6 * r);
  }

 private:
  // Adds the moments of those of a group that stay in their region; returns the others.
  int add_group(int64_t r, int64_t i, int64_t count, const Values& P, const Values& M, const Values& gx, const Values& gy,
                Doubles (&moment)[6]) {
    const int all = static_cast<int>((int64_t(1) << count) - 1);
    if (!fields.is_quick(r)) return all;
    Values end_x, end_y, a, c;
    const auto known = Stays<T>(fields, geometry, r).find(P, M, end_x, end_y);
    const T* e = geometry.turns.data() + 8 * r;
    to_chart(e, gx, gy, a, c);
    if (p.of_points) {
      const T *w = fields.records.data() + 8 * r, identity = fields.identity[static_cast<size_t>(r)],
              linear = fields.linear[static_cast<size_t>(r)];
      Values start_x, start_y;
      from_chart(e, identity * a + linear * (w[2] * a + w[3] * c), identity * c + linear * (w[4] * a + w[5] * c), start_x,
                 start_y);
      for (int64_t lane = 0; lane < count; lane++) to_x[order[i + lane]] = start_x[lane], to_y[order[i + lane]] = start_y[lane];
    }
    const Values none{}, at_p = pick(known, P, none), at_m = pick(known, M, none);
    a = pick(known, a, none);
    c = pick(known, c, none);
    const Values values[6] = {a, c, a * at_p, c * at_p, a * at_m, c * at_m};
    for (int j = 0; j < 6; j++) moment[j] += halves(values[j]);
    return all & ~bits(known);
  }

  void finish() {
    trail.clear();
    follow(
        wave, fields, geometry, [&](const auto&... piece) { trail.put(piece...); }, [&] { trail.turn(); },
        [](const auto&...) {});
    trail.back(fields, geometry, x, y, sums.data());
    if (!to_x) return;
    for (size_t i = 0; i < trail.first_turn; i++) {
      const auto point = trail.point[i];
      if (point == UNIT) continue;
      to_x[order[point]] = x[point];
      to_y[order[point]] = y[point];
    }
  }
};

template <class T>
void backward(const Problem<T>& p) {
  const int64_t units = units_of(p.start.points), entries = 6 * p.charts.regions;
  parallel(p.batch * units, p.threads, [&](int64_t begin, int64_t end) {
    const auto gradients = std::make_unique<Gradients<T>>(p);
    for (int64_t job = begin; job < end; job++) gradients->find(job / units, job % units, p.partial + entries * job);
  });
  parallel(p.batch, p.threads, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++)
      for (int64_t j = 0; j < entries; j++) {
        double sum = 0;
        for (int64_t unit = 0; unit < units; unit++) sum += p.partial[(b * units + unit) * entries + j];
        p.of_coefficients[b * entries + j] = static_cast<T>(sum);
      }
  });
}

}  // namespace stnkit::flow
