// The flow of an affine field of two dimensions for a time within REACH, as stnkit/families/flows/affine.py has it.
#pragma once

namespace stnkit::flow {

// ROOT: the last of Newton's steps, as a share of the time that is looked at; the next would be about its square.
template <class T>
struct Numbers;
template <>
struct Numbers<float> {
  static constexpr int TERMS = 10, NODES = 4;
  static constexpr float EPSILON = 1.1920929e-7f, ROOT = 1e-4f, TANGENT = 1e-5f, STEEPEST = 1e18f;
};
template <>
struct Numbers<double> {
  static constexpr int TERMS = 18, NODES = 9;
  static constexpr double EPSILON = 2.220446049250313e-16, ROOT = 1e-9, TANGENT = 1e-12, STEEPEST = 1e150;
};

constexpr double REACH = 1.0;
constexpr int ROOT_STEPS = 60, MOST_PIECES = 20000, MOST_STALLS = 12;

// 1 / k.
template <class T>
constexpr auto INVERSE = [] {
  std::array<T, Numbers<T>::TERMS + 2> made{};
  for (size_t k = 1; k < made.size(); k++) made[k] = T(1) / static_cast<T>(k);
  return made;
}();

// Terms of the series for a step with h ‖A‖ of at most `norm`: the first that is left out is below the rounding error.
// At least 2.
template <class T>
int terms_of(T norm) {
  T last = norm / 2;
  for (int terms = 2; terms < Numbers<T>::TERMS; terms++) {
    last *= norm * INVERSE<T>[static_cast<size_t>(terms + 1)];
    if (last < Numbers<T>::EPSILON / 4) return terms;
  }
  return Numbers<T>::TERMS;
}

// ∫₀ᵗ exp(sA) ds = alpha I + beta A, and exp(tA) = identity I + linear A, for the matrices of all lanes.
template <class T>
struct Series {
  using Values = typename Lanes<T>::Values;
  Values alpha, beta, identity, linear;

  Series(T time, const Values& trace, const Values& determinant, int terms) {
    const Values first = time * trace, second = -time * time * determinant, zero{};
    Values p = zero + 1, r = zero, a = p, b = zero;
    for (size_t k = 1; k < static_cast<size_t>(terms); k++) {
      const T here = INVERSE<T>[k], next = INVERSE<T>[k + 1];
      const Values following = second * r * here;
      r = (p + first * r) * here;
      p = following;
      a += p * next;
      b += r * next;
    }
    alpha = time * a;
    beta = time * time * b;
    identity = 1 - beta * determinant;
    linear = alpha + beta * trace;
  }
};

// Nodes and weights of the Gauss–Legendre rule on [0, 1]: node i and the last but i are as far from the ends.
template <int N>
struct Rule {
  std::array<double, N> node{}, weight{};

  Rule() {
    for (int i = 0; i < N; i++) {
      double x = std::cos(3.14159265358979323846 * (i + 0.75) / (N + 0.5)), slope = 1;
      for (int step = 0; step < 50; step++) {
        double before = 1, value = x;
        for (int k = 2; k <= N; k++) {
          const double next = ((2 * k - 1) * x * value - (k - 1) * before) / k;
          before = value;
          value = next;
        }
        slope = N * (x * value - before) / (x * x - 1);
        x -= value / slope;
      }
      node[static_cast<size_t>(i)] = (1 - x) / 2;
      weight[static_cast<size_t>(i)] = 1 / ((1 - x * x) * slope * slope);
    }
  }
};

}  // namespace stnkit::flow
