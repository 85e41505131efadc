// Points of one region that stay in it for a unit of time of one step, told by both ends of their way.
#pragma once

namespace stnkit::flow {

template <class T>
struct Stays {
  using Values = typename Lanes<T>::Values;
  using Mask = typename Lanes<T>::Mask;
  const T *w, *o;
  T alpha, beta;

  Stays(const Fields<T>& fields, const Geometry<T>& geometry, int64_t region)
      : w(fields.records.data() + 8 * region),
        o(geometry.places.data() + 8 * region),
        alpha(fields.alpha[static_cast<size_t>(region)]),
        beta(fields.beta[static_cast<size_t>(region)]) {}

  // The lanes that stay, and where they are then.
  Mask find(const Values& a, const Values& b, Values& x, Values& y) const {
    const T k = w[6], u = w[7];
    const Values p = w[0] + w[2] * a + w[4] * b, m = w[1] + w[3] * a + w[5] * b;
    const Values c = a + (alpha * p + beta * (w[2] * p + w[4] * m)), d = b + (alpha * m + beta * (w[3] * p + w[5] * m));
    const Values q = w[0] + w[2] * c + w[4] * d, r = w[1] + w[3] * c + w[5] * d;  // the velocity at the end
    x = o[0] + (o[2] * c + o[3] * d);
    y = o[1] + (o[4] * c + o[5] * d);
    // Inside at both ends, and no barrier that is approached first and left later; on one only if it is left.
    const Values s = k * p + u * m, f = k * q + u * r, least = Numbers<T>::TANGENT * (magnitude(p) + magnitude(m));
    const Mask begins = ((a > 0) | (p > least)) & ((b > 0) | (m > least)) & ((k * a + u * b < 1) | (s < -least));
    const Mask ends = (c >= 0) & (d >= 0) & (k * c + u * d <= 1);
    const Mask turns = ((p < 0) & (q > 0)) | ((m < 0) & (r > 0)) | ((s > 0) & (f < 0));
    return begins & ends & ~turns;
  }
};

}  // namespace stnkit::flow
