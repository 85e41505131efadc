// Steps of the classical Runge–Kutta method of fourth order, as stnkit/families/runge_kutta_steps.py has them.
#pragma once

namespace stnkit::spline {

// A share of the points of one field; at most MOST_UNITS, so that the sums of all shares take little memory.
constexpr int64_t UNIT = 1024, MOST_UNITS = 16;

inline int64_t units_of(int64_t points) {
  return std::max<int64_t>(1, std::min<int64_t>(MOST_UNITS, (points + UNIT - 1) / UNIT));
}

// begin … end of a unit, in whole vectors but for the last.
inline void range_of(int64_t points, int64_t unit, int64_t& begin, int64_t& end) {
  const int64_t units = units_of(points), length = ((points + units - 1) / units + 7) / 8 * 8;
  begin = std::min(points, unit * length);
  end = std::min(points, begin + length);
}

template <class T, int D>
struct Step {
  using Values = typename Lanes<T>::Values;
  using Matrix = Values[D][D];  // [i][j]: ∂v_i/∂x_j
  const Lattice<T, D>& lattice;
  const T h;

  Step(const Lattice<T, D>& from, int64_t steps) : lattice(from), h(T(1) / static_cast<T>(steps)) {}

  void velocity(const Values (&at)[D], Values (&made)[D]) const {
    const Reading<T, D> reading(lattice, at, false);
    Values shares[Lattice<T, D>::ROWS];
    reading.shares(reading.weight[1], reading.weight[D - 1], shares);
    reading.values(reading.weight[0], shares, made);
  }

  void forward(Values (&at)[D]) const {
    Values k[4][D], there[D];
    for (int stage = 0; stage < 4; stage++) {
      for (int d = 0; d < D; d++) there[d] = stage ? at[d] + (stage == 3 ? h : h / 2) * k[stage - 1][d] : at[d];
      velocity(there, k[stage]);
    }
    for (int d = 0; d < D; d++) at[d] += h / 6 * (k[0][d] + 2 * (k[1][d] + k[2][d]) + k[3][d]);
  }

  // From the gradient to the end of a step that starts at `at` to that to its start.
  void backward(const Values (&at)[D], Values (&given)[D], Lattice<T, D>& gradient) const {
    Reading<T, D> readings[4];
    Matrix jacobians[4];
    Values k[D], there[D], made[D], total[D];
    for (int stage = 0; stage < 4; stage++) {
      for (int d = 0; d < D; d++) there[d] = stage ? at[d] + (stage == 3 ? h : h / 2) * k[d] : at[d];
      readings[stage] = Reading<T, D>(lattice, there, true);
      differentiate(readings[stage], k, jacobians[stage]);
    }
    for (int d = 0; d < D; d++) total[d] = given[d], made[d] = Values{};
    for (int stage = 3; stage >= 0; stage--) {
      Values here[D];
      const T share = stage == 0 || stage == 3 ? h / 6 : h / 3, before = stage == 2 ? h : h / 2;
      for (int d = 0; d < D; d++) here[d] = share * given[d] + before * made[d];
      readings[stage].add(gradient, here);
      for (int j = 0; j < D; j++) {
        made[j] = Values{};
        for (int i = 0; i < D; i++) made[j] += jacobians[stage][i][j] * here[i];
        total[j] += made[j];
      }
    }
    for (int d = 0; d < D; d++) given[d] = total[d];
  }

 private:
  static void differentiate(const Reading<T, D>& reading, Values (&velocity)[D], Matrix& jacobian) {
    Values shares[Lattice<T, D>::ROWS], change[D];
    reading.shares(reading.weight[1], reading.weight[D - 1], shares);
    reading.values(reading.weight[0], shares, velocity);
    for (int j = 0; j < D; j++) {
      const auto &y = j == 1 ? reading.slope[1] : reading.weight[1], &z = j == 2 ? reading.slope[D - 1] : reading.weight[D - 1];
      if (j) reading.shares(y, z, shares);
      reading.values(j ? reading.weight[0] : reading.slope[0], shares, change);
      for (int i = 0; i < D; i++) jacobian[i][j] = change[i];
    }
  }
};

}  // namespace stnkit::spline
