// The way of a point within a region: (P, M) as polynomials of the share τ of a step, and so its barriers.
#pragma once

namespace stnkit::flow {

// c₁ τ + c₂ τ² + …; c₀ is not used.
template <class T>
struct Polynomial {
  using Values = typename Lanes<T>::Values;
  Values c[Numbers<T>::TERMS + 1];

  Values at(const Values& share, int terms) const {
    Values sum = c[terms];
    for (int k = terms - 1; k > 0; k--) sum = sum * share + c[k];
    return sum * share;
  }
};

// By Cayley and Hamilton, cₖ₊₁ = hT cₖ / (k + 1) − h²D cₖ₋₁ / (k (k + 1)) for what obeys y' = A y.
template <class T>
struct Recurrence {
  using Values = typename Lanes<T>::Values;
  Values first, second;  // hT and h²D

  Recurrence(const Values (&w)[8], const Values& step)
      : first(step * (w[2] + w[5])), second(step * step * (w[2] * w[5] - w[3] * w[4])) {}

  // The terms of two functions, of which those up to c[known] are there, until both are within `rounding` in all lanes;
  // each(k) sees every new one. Returns their number: one that is 0 for both is followed by no other.
  template <class Each>
  int run(Values* a, Values* b, int known, const Values& rounding, const Each& each) const {
    int k = known;
    for (; k < Numbers<T>::TERMS; k++) {
      const T next = INVERSE<T>[static_cast<size_t>(k + 1)], both = next * INVERSE<T>[static_cast<size_t>(k)];
      const Values f = first * next, s = second * both;
      a[k + 1] = f * a[k] - s * a[k - 1];
      b[k + 1] = f * b[k] - s * b[k - 1];
      each(k + 1);
      if (!bits(magnitude(a[k + 1]) + magnitude(b[k + 1]) > rounding)) return k + 1;
    }
    return k;
  }
};

// How far P and M move: the velocity obeys the equation, so that theirs start with c₁ and c₂.
template <class T>
struct Path {
  using Values = typename Lanes<T>::Values;
  Polynomial<T> p, m;
  int terms;
  Values end_p, end_m, last_p, last_m;  // the sums of their terms, and of their derivatives at the end

  // w: the record of the region, w₀, w₁, w₂, κ and μ.
  Path(const Values (&w)[8], const Values& P, const Values& M, const Values& step, const Recurrence<T>& recurrence) {
    const Values u = step * (w[0] + w[2] * P + w[4] * M), v = step * (w[1] + w[3] * P + w[5] * M);
    const Values half = step * T(0.5);
    p.c[1] = u;
    m.c[1] = v;
    p.c[2] = half * (w[2] * u + w[4] * v);
    m.c[2] = half * (w[3] * u + w[5] * v);
    end_p = u + p.c[2];
    end_m = v + m.c[2];
    last_p = u + 2 * p.c[2];
    last_m = v + 2 * m.c[2];
    const Values rounding = Values{} + Numbers<T>::EPSILON / 4;
    terms = recurrence.run(p.c, m.c, 2, rounding, [&](int k) {
      end_p += p.c[k];
      end_m += m.c[k];
      last_p += p.c[k] * static_cast<T>(k);
      last_m += m.c[k] * static_cast<T>(k);
    });
  }
};

}  // namespace stnkit::flow
