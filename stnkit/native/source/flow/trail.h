// The gradients along the pieces of trajectories, backward in time.
#pragma once

namespace stnkit::flow {

template <class Vector>
Vector bounded(const Vector& a) {
  using T = std::remove_cv_t<std::remove_reference_t<decltype(a[0])>>;
  constexpr T most = Numbers<T>::STEEPEST;
  const Vector above = pick(a < -most, Vector{} - most, a);
  return pick(above > most, Vector{} + most, above);
}

// From the gradient to a point to that to its place in a chart, and back. e: edges and their inverse.
template <class E, class Vector>
void to_chart(const E& e, const Vector& x, const Vector& y, Vector& a, Vector& c) {
  a = bounded<Vector>(e[0] * x + e[2] * y);
  c = bounded<Vector>(e[1] * x + e[3] * y);
}

template <class E, class Vector>
void from_chart(const E& e, const Vector& a, const Vector& c, Vector& x, Vector& y) {
  x = bounded<Vector>(e[4] * a + e[6] * c);
  y = bounded<Vector>(e[5] * a + e[7] * c);
}

// All pieces of the points of a wave, turn by turn, in whole vectors.
template <class T>
struct Trail {
  static constexpr int N = Lanes<T>::N;
  using Values = typename Lanes<T>::Values;
  using Mask = typename Lanes<T>::Mask;
  std::vector<T> P, M, time;
  std::vector<typename Lanes<T>::Integer> region, point;
  size_t first_turn = 0;

  void clear() {
    for (auto* part : {&P, &M, &time}) part->clear();
    for (auto* part : {&region, &point}) part->clear();
    first_turn = 0;
  }
  void put(const Values& p, const Values& m, const Mask& r, const Mask& number, const Values& t) {
    const size_t at = P.size();
    for (auto* part : {&P, &M, &time}) part->resize(at + N);
    for (auto* part : {&region, &point}) part->resize(at + N);
    store(&P[at], p);
    store(&M[at], m);
    store(&time[at], t);
    store(&region[at], r);
    store(&point[at], number);
  }
  void turn() {
    if (!first_turn) first_turn = P.size();
  }

  // Adds the integral over each piece to the records `sums`, and moves the gradients x and y of the points of the unit to
  // the start of their ways.
  void back(const Fields<T>& fields, const Geometry<T>& geometry, T* x, T* y, double* sums) const {
    static const Rule<Numbers<T>::NODES> rule;
    for (size_t i = P.size(); i > 0;) {
      i -= N;
      Values w[8], e[8], a[Numbers<T>::TERMS + 1], c[Numbers<T>::TERMS + 1];
      read_records(fields.records.data(), &region[i], w);
      read_records(geometry.turns.data(), &region[i], e);
      const Values p = load<Values>(&P[i]), m = load<Values>(&M[i]), step = load<Values>(&time[i]);
      const Recurrence<T> recurrence(w, step);
      const Path<T> path(w, p, m, step, recurrence);
      // The adjoint, backward in time: exp(tAᵀ) of that at the end.
      to_chart(e, gathered(x, &point[i]), gathered(y, &point[i]), a[0], c[0]);
      a[1] = step * (w[2] * a[0] + w[3] * c[0]);
      c[1] = step * (w[4] * a[0] + w[5] * c[0]);
      const Values rounding = Numbers<T>::EPSILON / 4 * (magnitude(a[0]) + magnitude(c[0]));
      const int terms = recurrence.run(a, c, 1, rounding, [](int) {});
      Values values[8]{};
      for (size_t node = 0; node < rule.node.size(); node++) {
        const T share = static_cast<T>(rule.node[node]), left = 1 - share;
        Values u = a[terms], v = c[terms], at_p = path.p.c[path.terms], at_m = path.m.c[path.terms];
        for (int k = terms - 1; k >= 0; k--) {
          u = u * left + a[k];
          v = v * left + c[k];
        }
        for (int k = path.terms - 1; k > 0; k--) {
          at_p = at_p * share + path.p.c[k];
          at_m = at_m * share + path.m.c[k];
        }
        const Values weight = step * static_cast<T>(rule.weight[node]);
        u *= weight;
        v *= weight;
        at_p = p + share * at_p;
        at_m = m + share * at_m;
        values[0] += u;
        values[1] += v;
        values[2] += u * at_p;
        values[3] += v * at_p;
        values[4] += u * at_m;
        values[5] += v * at_m;
      }
      add_to_records(values, &region[i], sums);
      Values start_a = a[terms], start_c = c[terms], to_x, to_y;
      for (int k = terms - 1; k >= 0; k--) {
        start_a += a[k];
        start_c += c[k];
      }
      from_chart(e, start_a, start_c, to_x, to_y);
      for (int lane = 0; lane < N; lane++) {
        x[point[i + static_cast<size_t>(lane)]] = to_x[lane];
        y[point[i + static_cast<size_t>(lane)]] = to_y[lane];
      }
    }
  }
};

}  // namespace stnkit::flow
