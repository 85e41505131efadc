// The gradients to the coefficients and to the points: with the adjoint a(t), ∫ a (1, P, M) dt over the time in a region.
#pragma once

namespace stnkit::flow {

template <class T>
struct Piece {
  Place<T> at;
  Field<T> field;
  T time;
};

template <class T>
T bounded(T a) {
  return std::min(std::max(a, -Numbers<T>::STEEPEST), Numbers<T>::STEEPEST);
}

// exp(tAᵀ) (p, m).
template <class T>
void earlier(const Field<T>& field, const Series<T>& s, T& p, T& m) {
  T cp, cm;
  field.transposed(p, m, cp, cm);
  p = s.identity * p + s.linear * cp;
  m = s.identity * m + s.linear * cm;
}

// Adds the integral over a whole unit of time in one region for many points: `moments` is their sum of a(1) (1, P, M).
// It is linear in them, so that the points of a region cost one rule together.
inline void add_stays(const Field<double>& field, const double* moments, double* sums) {
  static const Rule<Numbers<double>::NODES> rule;
  for (size_t i = 0; i < rule.node.size(); i++) {
    const Series<double> before(rule.node[i], field), after(1 - rule.node[i], field);
    double c[2], d[2];
    field.change(field.w[0], field.w[1], c[0], c[1]);
    // (P, M) at the node: o + E (P, M), with E = identity I + linear A.
    const double o[2] = {before.alpha * field.w[0] + before.beta * c[0], before.alpha * field.w[1] + before.beta * c[1]};
    const double e[4] = {before.identity + before.linear * field.w[2], before.linear * field.w[4],
                         before.linear * field.w[3], before.identity + before.linear * field.w[5]};
    double at[6];
    for (int k = 0; k < 2; k++) {
      const double one = moments[k], p = moments[2 + k], m = moments[4 + k];
      at[k] = one;
      at[2 + k] = o[0] * one + e[0] * p + e[1] * m;
      at[4 + k] = o[1] * one + e[2] * p + e[3] * m;
    }
    for (int j = 0; j < 3; j++) {
      d[0] = at[2 * j], d[1] = at[2 * j + 1];
      earlier(field, after, d[0], d[1]);
      sums[2 * j] += rule.weight[i] * d[0];
      sums[2 * j + 1] += rule.weight[i] * d[1];
    }
  }
}

// Adds the integral over one piece, and moves the adjoint to its start.
template <class T>
void add_piece(const Piece<T>& piece, T& p, T& m, double* sums) {
  static const Rule<Numbers<T>::NODES> rule;
  T vp, vm, cp, cm;
  piece.field.velocity(piece.at.P, piece.at.M, vp, vm);
  piece.field.change(vp, vm, cp, cm);
  for (size_t i = 0; i < rule.node.size(); i++) {
    const T node = static_cast<T>(rule.node[i]), weight = piece.time * static_cast<T>(rule.weight[i]);
    const Series<T> before(piece.time * node, piece.field);
    T ap = p, am = m;
    earlier(piece.field, Series<T>(piece.time * (1 - node), piece.field), ap, am);
    const T P = piece.at.P + (before.alpha * vp + before.beta * cp), M = piece.at.M + (before.alpha * vm + before.beta * cm);
    const T values[6] = {ap, am, ap * P, am * P, ap * M, am * M};
    for (int j = 0; j < 6; j++) sums[j] += static_cast<double>(weight * values[j]);
  }
  earlier(piece.field, Series<T>(piece.time, piece.field), p, m);
}

template <class T>
void backward(const Problem<T>& p) {
  const Charts<T>& charts = p.charts;
  const int64_t n = p.start.points, units = units_of(n), regions = charts.regions;
  parallel(p.batch * units, p.threads, [&](int64_t begin, int64_t end) {
    Stays<T> stays;
    Fields<T> fields(p.coefficients, regions);
    std::vector<Piece<T>> pieces;
    for (int64_t job = begin; job < end; job++) {
      const int64_t b = job / units, row = p.start.shared ? 0 : b;
      const T *coefficients = p.coefficients + 6 * regions * b, *chart = p.start.chart + 2 * n * row;
      const int32_t* order = p.start.order + n * row;
      const T *x = p.out + 2 * n * b, *y = x + n;
      double* sums = p.partial + 6 * regions * job;
      fields.reset(coefficients);
      std::fill(sums, sums + 6 * regions, 0.0);
      const auto to_chart = [&](int64_t r, T gx, T gy, T& a, T& c) {
        const T* e = charts.edges + 4 * r;
        a = bounded(e[0] * gx + e[2] * gy);
        c = bounded(e[1] * gx + e[3] * gy);
      };
      const auto from_chart = [&](int64_t r, T a, T c, T& gx, T& gy) {
        const T* g = charts.inverse + 4 * r;
        gx = bounded(g[0] * a + g[2] * c);
        gy = bounded(g[1] * a + g[3] * c);
      };
      const auto put = [&](int64_t i, T gx, T gy) {
        if (!p.of_points) return;
        p.of_points[2 * n * b + order[i]] = gx;
        p.of_points[2 * n * b + n + order[i]] = gy;
      };
      for_runs(p.start, p.start.first + (regions + 1) * row, regions, job % units, [&](int64_t r, int64_t low, int64_t high) {
        const auto& [field, whole] = fields[r];
        const bool quick = field.reach >= 1;
        double moments[6] = {};
        for (; low < high; low += Stays<T>::MOST) {
          const int64_t count = std::min(Stays<T>::MOST, high - low);
          if (quick)
            stays.find(field, whole, charts, r, chart + low, chart + n + low, count);
          else
            stays.skip(count);
          for (int64_t i = low; i < low + count; i++) {
            T gx = x[order[i]], gy = y[order[i]], a, c;
            const T P = chart[i], M = chart[n + i];
            if (stays.known[i - low]) {
              to_chart(r, gx, gy, a, c);
              const T values[6] = {a, c, a * P, c * P, a * M, c * M};
              for (int j = 0; j < 6; j++) moments[j] += static_cast<double>(values[j]);
              if (p.of_points) {
                earlier(field, whole, a, c);
                from_chart(r, a, c, gx, gy);
                put(i, gx, gy);
              }
              continue;
            }
            pieces.clear();
            Place<T> at{r, P, M};
            walk(at, fields, charts,
                 [&](const Place<T>& place, const Field<T>& here, T time) { pieces.push_back({place, here, time}); });
            for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
              to_chart(piece->at.region, gx, gy, a, c);
              add_piece(*piece, a, c, sums + 6 * piece->at.region);
              from_chart(piece->at.region, a, c, gx, gy);
            }
            put(i, gx, gy);
          }
        }
        if (!quick) return;
        double wide[6];
        for (int j = 0; j < 6; j++) wide[j] = static_cast<double>(coefficients[6 * r + j]);
        add_stays(Field<double>(wide), moments, sums + 6 * r);
      });
    }
  });
  const int64_t entries = 6 * regions;
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
