// The flow of velocity fields of B-splines on the CPU: forward and backward, in float and double, in two and three
// dimensions.
#pragma once
#include "problem.h"
#include "lattice.h"
#include "steps.h"

namespace stnkit::spline {

template <class T, int D>
void forward_of(const Problem<T>& p) {
  constexpr int64_t N = Lanes<T>::N;
  const int64_t n = p.points, units = units_of(n), entries = D * p.counts[0] * p.counts[1] * (D == 3 ? p.counts[2] : 1);
  parallel(p.batch * units, p.threads, [&](int64_t first, int64_t last) {
    Lattice<T, D> lattice(p);
    const Step<T, D> step(lattice, p.steps);
    for (int64_t job = first; job < last; job++) {
      const int64_t b = job / units;
      const T *velocities = p.velocities + entries * b, *start = p.start + (p.shared ? 0 : D * n * b);
      int64_t begin, end;
      range_of(n, job % units, begin, end);
      lattice.for_each([&](T& value, int64_t i) { value = velocities[i]; });
      for (int64_t i = begin; i < end; i += N) {
        typename Lanes<T>::Values at[D];
        for (int d = 0; d < D; d++) at[d] = load<typename Lanes<T>::Values>(start + n * d + i, end - i);
        for (int64_t s = 0; s < p.steps; s++) step.forward(at);
        for (int d = 0; d < D; d++)
          for (int64_t lane = 0; lane < std::min(N, end - i); lane++) p.out[n * (D * b + d) + i + lane] = at[d][lane];
      }
    }
  });
}

// Vectors of points after which sums in T go on in double: many small terms would be rounded away.
template <int D>
constexpr int64_t SUMMED = D == 2 ? 8 : 32;

template <class T, int D>
void backward_of(const Problem<T>& p) {
  constexpr int64_t N = Lanes<T>::N;
  using Values = typename Lanes<T>::Values;
  const int64_t n = p.points, units = units_of(n), entries = D * p.counts[0] * p.counts[1] * (D == 3 ? p.counts[2] : 1);
  parallel(p.batch * units, p.threads, [&](int64_t first, int64_t last) {
    Lattice<T, D> lattice(p), gradient(p);
    const Step<T, D> step(lattice, p.steps);
    std::vector<T> way(static_cast<size_t>(p.steps * D * N));
    std::vector<double> sums(gradient.values.size());
    const auto sum = [&] {
      for (size_t j = 0; j < sums.size(); j++) sums[j] += static_cast<double>(gradient.values[j]);
      std::fill(gradient.values.begin(), gradient.values.end(), T(0));
    };
    for (int64_t job = first; job < last; job++) {
      const int64_t b = job / units;
      const T *velocities = p.velocities + entries * b, *start = p.start + (p.shared ? 0 : D * n * b);
      int64_t begin, end;
      range_of(n, job % units, begin, end);
      lattice.for_each([&](T& value, int64_t i) { value = velocities[i]; });
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int64_t i = begin; i < end; i += N) {
        Values at[D], given[D];
        for (int d = 0; d < D; d++) {
          at[d] = load<Values>(start + n * d + i, end - i);
          given[d] = load<Values>(p.out + n * (D * b + d) + i, end - i);
        }
        for (int64_t s = 0; s < p.steps; s++) {
          for (int d = 0; d < D; d++) store(way.data() + (s * D + d) * N, at[d]);
          if (s + 1 < p.steps) step.forward(at);
        }
        for (int64_t s = p.steps - 1; s >= 0; s--) {
          for (int d = 0; d < D; d++) at[d] = load<Values>(way.data() + (s * D + d) * N);
          step.backward(at, given, gradient);
        }
        if ((i - begin) / N % SUMMED<D> == SUMMED<D> - 1) sum();
        if (!p.of_points) continue;
        for (int d = 0; d < D; d++)
          for (int64_t lane = 0; lane < std::min(N, end - i); lane++)
            p.of_points[n * (D * b + d) + i + lane] = given[d][lane];
      }
      double* partial = p.partial + entries * job;
      sum();
      gradient.for_each([&](const T& value, int64_t i) { partial[i] = sums[static_cast<size_t>(&value - gradient.values.data())]; });
    }
  });
  parallel(p.batch, p.threads, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++)
      for (int64_t j = 0; j < entries; j++) {
        double sum = 0;
        for (int64_t unit = 0; unit < units; unit++) sum += p.partial[(b * units + unit) * entries + j];
        p.of_velocities[b * entries + j] = static_cast<T>(sum);
      }
  });
}

template <class T>
void forward(const Problem<T>& p) {
  p.dimensions == 2 ? forward_of<T, 2>(p) : forward_of<T, 3>(p);
}

template <class T>
void backward(const Problem<T>& p) {
  p.dimensions == 2 ? backward_of<T, 2>(p) : backward_of<T, 3>(p);
}

}  // namespace stnkit::spline
