// The flow of an affine field of two dimensions for a time within REACH, as stnkit/families/flows/affine.py has it.
#pragma once

namespace stnkit::flow {

// ROOT: the last of Newton's steps, as a share of the time that is looked at.
template <class T>
struct Numbers;
template <>
struct Numbers<float> {
  static constexpr int TERMS = 10, NODES = 4;
  static constexpr float EPSILON = 1.1920929e-7f, ROOT = 1e-5f, TANGENT = 1e-5f, STEEPEST = 1e18f;
};
template <>
struct Numbers<double> {
  static constexpr int TERMS = 18, NODES = 9;
  static constexpr double EPSILON = 2.220446049250313e-16, ROOT = 1e-13, TANGENT = 1e-12, STEEPEST = 1e150;
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

// v = w₀ + P w₁ + M w₂, with A = (w₁, w₂).
template <class T>
struct Field {
  T w[6], trace, determinant, reach;  // reach: the longest time of a step
  int terms;                          // of the series for such a step, or for one of time 1 if that is shorter

  Field() = default;
  explicit Field(const T* c) {
    for (int i = 0; i < 6; i++) w[i] = c[i];
    trace = w[2] + w[5];
    determinant = w[2] * w[5] - w[3] * w[4];
    const T norm = std::sqrt(w[2] * w[2] + w[3] * w[3] + w[4] * w[4] + w[5] * w[5]);
    reach = static_cast<T>(REACH) / norm;  // infinite for a constant field
    T last = 1;  // bound of the first term that is left out
    for (terms = 1; terms < Numbers<T>::TERMS; terms++) {
      last *= norm * INVERSE<T>[static_cast<size_t>(terms + 1)];
      if (last < Numbers<T>::EPSILON / 4) break;
    }
  }
  void velocity(T P, T M, T& p, T& m) const {
    p = w[0] + w[2] * P + w[4] * M;
    m = w[1] + w[3] * P + w[5] * M;
  }
  void change(T p, T m, T& cp, T& cm) const {  // A (p, m)
    cp = w[2] * p + w[4] * m;
    cm = w[3] * p + w[5] * m;
  }
  void transposed(T p, T m, T& cp, T& cm) const {  // Aᵀ (p, m)
    cp = w[2] * p + w[3] * m;
    cm = w[4] * p + w[5] * m;
  }
};

// ∫₀ᵗ exp(sA) ds = alpha I + beta A, and exp(tA) = identity I + linear A.
template <class T>
struct Series {
  T alpha, beta, identity, linear;

  Series() = default;
  Series(T time, const Field<T>& f) {
    const auto& inverse = INVERSE<T>;
    const T first = time * f.trace, second = -time * time * f.determinant;
    T p = 1, r = 0, a = 1, b = 0;
    for (size_t k = 1; k < static_cast<size_t>(f.terms); k++) {
      const T next = second * r * inverse[k];
      r = (p + first * r) * inverse[k];
      p = next;
      a += p * inverse[k + 1];
      b += r * inverse[k + 1];
    }
    alpha = time * a;
    beta = time * time * b;
    identity = 1 - beta * f.determinant;
    linear = alpha + beta * f.trace;
  }
};

// Nodes and weights of the Gauss–Legendre rule on [0, 1].
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
