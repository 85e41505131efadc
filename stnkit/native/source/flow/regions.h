// The constants of all regions, as records of eight values: the geometry, that all fields share, and those of one field.
#pragma once

namespace stnkit::flow {

template <class T>
struct Geometry {
  using Integer = typename Lanes<T>::Integer;
  std::vector<T> places;       // origin and edges
  std::vector<T> turns;        // edges and their inverse
  std::vector<T> transitions;  // for each barrier, and one more that is none: the neighbor's (P, M), and the neighbor

  explicit Geometry(const Charts<T>& charts) {
    const int64_t regions = charts.regions;
    for (auto* made : {&places, &turns}) made->assign(static_cast<size_t>(8 * regions), T(0));
    transitions.assign(static_cast<size_t>(8 * (3 * regions + 1)), T(0));
    for (int64_t r = 0; r < regions; r++) {
      std::copy_n(charts.origin + 2 * r, 2, places.data() + 8 * r);
      std::copy_n(charts.edges + 4 * r, 4, places.data() + 8 * r + 2);
      std::copy_n(charts.edges + 4 * r, 4, turns.data() + 8 * r);
      std::copy_n(charts.inverse + 4 * r, 4, turns.data() + 8 * r + 4);
    }
    for (int64_t i = 0; i < 3 * regions; i++) {
      std::copy_n(charts.transition + 6 * i, 6, transitions.data() + 8 * i);
      const Integer neighbor = static_cast<Integer>(charts.neighbor[i]);
      std::memcpy(transitions.data() + 8 * i + 6, &neighbor, sizeof neighbor);
    }
  }
};

// Of one field v = w₀ + P w₁ + M w₂ in each region: these with κ and μ, the longest step, and the flow for a unit of time
// where that is one step.
template <class T>
struct Fields {
  using Values = typename Lanes<T>::Values;
  int64_t regions;
  int terms;     // of the series for the longest step in any region
  bool limited;  // True if a unit of time is more than one step in some region
  std::vector<T> records, reach, alpha, beta, identity, linear, trace, determinant;

  explicit Fields(const Charts<T>& charts) : regions(charts.regions) {
    constexpr int64_t N = Lanes<T>::N;
    const size_t padded = static_cast<size_t>((regions + N - 1) / N * N);
    records.assign(8 * padded, T(0));
    for (auto* made : {&reach, &alpha, &beta, &identity, &linear, &trace, &determinant}) made->assign(padded, T(0));
    for (int64_t r = 0; r < regions; r++) std::copy_n(charts.slopes + 2 * r, 2, records.data() + 8 * r + 6);
  }

  bool is_quick(int64_t region) const { return reach[static_cast<size_t>(region)] >= 1; }

  void reset(const T* coefficients) {
    constexpr int64_t N = Lanes<T>::N;
    T steepest = 0;
    limited = false;
    for (int64_t r = 0; r < regions; r++) std::copy_n(coefficients + 6 * r, 6, records.data() + 8 * r);
    for (int64_t r = 0; r < regions; r += N) {
      Values w[8];
      read_records(records.data() + 8 * r, lane_numbers<T>(), w);
      const Values norm = root_of(w[2] * w[2] + w[3] * w[3] + w[4] * w[4] + w[5] * w[5]);
      store(trace.data() + r, w[2] + w[5]);
      store(determinant.data() + r, w[2] * w[5] - w[3] * w[4]);
      store(reach.data() + r, static_cast<T>(REACH) / norm);  // infinite for a constant field
      limited |= bits(norm <= static_cast<T>(REACH)) != (1 << N) - 1;
      for (int64_t i = 0; i < N; i++) steepest = std::max(steepest, T(norm[i]));
    }
    terms = terms_of(limited ? static_cast<T>(REACH) : steepest);
    for (int64_t r = 0; r < regions; r += N) {
      const Series<T> whole(1, load<Values>(trace.data() + r), load<Values>(determinant.data() + r), terms);
      store(alpha.data() + r, whole.alpha);
      store(beta.data() + r, whole.beta);
      store(identity.data() + r, whole.identity);
      store(linear.data() + r, whole.linear);
    }
  }
};

}  // namespace stnkit::flow
