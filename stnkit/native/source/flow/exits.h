// The first exit of each lane from its region, within a step.
#pragma once

namespace stnkit::flow {

// The share of a step, below `high`, at which value + way changes its sign once, by Newton's method within a bracket.
// on: of a level that is 0 at 0, the other zero. Lanes that are not `wanted` stay at the guess.
template <class T>
typename Lanes<T>::Values crossing(const Polynomial<T>& way, int terms, const typename Lanes<T>::Values& value,
                                   const typename Lanes<T>::Values& guess, const typename Lanes<T>::Values& high,
                                   const typename Lanes<T>::Mask& on, const typename Lanes<T>::Mask& wanted) {
  using Values = typename Lanes<T>::Values;
  using Mask = typename Lanes<T>::Mask;
  Values time = guess, low{}, beyond = high;
  Mask open = wanted;
  const Mask start = value < 0;
  for (int step = 0; step < ROOT_STEPS && bits(open); step++) {
    // q: the way over the time.
    Values q = way.c[terms], slope{};
    for (int k = terms - 1; k > 0; k--) {
      slope = slope * time + q;
      q = q * time + way.c[k];
    }
    const Values level = value + time * q;
    const Mask passed = (level < 0) != start;
    beyond = pick(passed, time, beyond);
    low = pick(passed, low, time);
    const Values newton = time - pick(on, q, level) / pick(on, slope, q + time * slope);
    const Values next = pick((newton >= low) & (newton <= beyond), newton, (low + beyond) * T(0.5));
    const Mask settled = magnitude(next - time) <= Numbers<T>::ROOT * high;
    time = pick(open, next, time);
    open &= ~settled;
  }
  return time;
}

template <class T>
class Exit {
  using Values = typename Lanes<T>::Values;
  using Mask = typename Lanes<T>::Mask;
  const Path<T>& path;
  const Values &k, &u;  // κ and μ
  const int terms;
  Values value[3], high[3], guess[3];  // of each barrier: its level at 0; where it is negative; about where it is crossed
  Mask on[3], wanted[3];

 public:
  Values share;  // of the step, 1 where there is no exit
  Mask barrier;  // 0, 1 or 2, and −1 where there is none
  Values p, m;   // how far the point moves until then

  // A point on a barrier, or by rounding behind it, leaves through it where the field points outward, at once; unless it
  // is stuck. P and M: at the start of the path.
  Exit(const Path<T>& given, const Values& P, const Values& M, const Values& kappa, const Values& mu, const Mask& stuck)
      : path(given), k(kappa), u(mu), terms(given.terms) {
    const Values one = Values{} + 1, none = one + 1, level[3] = {P, M, 1 - (k * P + u * M)};
    Values slope[3], end[3], rising[3];
    each(path.p.c[1], path.m.c[1], slope);
    each(path.end_p, path.end_m, end);
    each(path.last_p, path.last_m, rising);
    const Values tangent = Numbers<T>::TANGENT * (magnitude(slope[0]) + magnitude(slope[1]));
    Mask at_once[3], dips[3], any{}, dipping{};
    p = end[0], m = end[1];
    share = one;
    barrier = Mask{} - 1;
    for (int i = 0; i < 3; i++) {
      const Mask flat = magnitude(slope[i]) <= tangent, outward = slope[i] < 0;
      on[i] = level[i] <= 0;
      value[i] = pick(on[i], Values{}, level[i]);
      high[i] = one;
      end[i] += value[i];
      const Mask ends = end[i] < 0;
      // Two regions see a slope with opposite signs, but for its rounding; then the end of the step decides.
      at_once[i] = on[i] & ((flat & ends) | (outward & ~flat)) & ~stuck;
      wanted[i] = ends & ~(on[i] & (flat | outward));
      dips[i] = ~on[i] & ~ends & outward & (rising[i] > 0);
      any |= at_once[i] | wanted[i];
      dipping |= dips[i];
    }
    if (bits(dipping)) any |= find_dips(slope, rising, dips);
    if (!bits(any)) return;
    for (int i = 2; i >= 0; i--) {
      barrier = pick(at_once[i], Mask{} + i, barrier);
      share = pick(at_once[i], Values{}, share);
      // The zero of the parabola with these values and this slope; after a dip the middle.
      const Values square = end[i] - value[i] - slope[i], inside = slope[i] * slope[i] - 4 * square * value[i];
      const Values root = root_of(pick(inside > 0, inside, Values{})) - slope[i];
      const Values zero = pick(on[i], -slope[i], 2 * value[i]) / pick(on[i], square, root);
      guess[i] = pick(wanted[i], pick((zero > 0) & (zero < high[i]), zero, high[i] * T(0.5)), none);
    }
    Mask open = (wanted[0] | wanted[1] | wanted[2]) & (barrier < 0);
    for (int round = 0; round < 3; round++) {
      if (bits(open)) solve_first(open);
      p = path.p.at(share, terms);
      m = path.m.at(share, terms);
      if (!bits(open)) return;
      // Those that are behind another barrier by then have crossed that before.
      Values way[3];
      if (!bits(dipping)) each(p, m, way);
      Mask crossed{};
      for (int i = 0; i < 3; i++) {
        if (bits(dipping)) {
          const Values at = pick(share < high[i], share, high[i]);
          each(path.p.at(at, terms), path.m.at(at, terms), way);
        }
        const Mask behind = open & (guess[i] < none) & (value[i] + way[i] < 0);
        guess[i] = pick(behind, guess[i], none);
        crossed |= behind;
      }
      open = crossed;
      if (!bits(open)) return;
    }
  }

 private:
  // From what belongs to P and M to that of the three barriers.
  void each(const Values& of_p, const Values& of_m, Values (&made)[3]) const {
    made[0] = of_p;
    made[1] = of_m;
    made[2] = -(k * of_p + u * of_m);
  }

  // The exit of the open lanes through that barrier for which the guess is least; its guess is taken out.
  void solve_first(const Mask& open) {
    const Mask second = guess[1] < guess[0], third = guess[2] < pick(second, guess[1], guess[0]);
    const auto chosen = [&](const auto& a) { return pick(third, a[2], pick(second, a[1], a[0])); };
    const Values one = Values{} + 1, no = Values{}, of_p[3] = {one, no, -k}, of_m[3] = {no, one, -u};
    const Values share_p = chosen(of_p), share_m = chosen(of_m);
    Polynomial<T> way;
    for (int i = 1; i <= terms; i++) way.c[i] = share_p * path.p.c[i] + share_m * path.m.c[i];
    const Values time = crossing(way, terms, chosen(value), chosen(guess), chosen(high), chosen(on), open);
    const Mask sooner = open & ((time < share) | (barrier < 0)),
               index = pick(third, Mask{} + 2, pick(second, Mask{} + 1, Mask{}));
    share = pick(sooner, time, share);
    barrier = pick(sooner, index, barrier);
    for (int i = 0; i < 3; i++) guess[i] = pick(index == i, Values{} + 2, guess[i]);
  }

  // A level that falls and rises again within the step may have been negative. The slope solves the same equation, one
  // derivative up, so that its zero is the time of the lowest value. Returns the lanes for which an exit is wanted now.
  Mask find_dips(const Values (&slope)[3], const Values (&rising)[3], const Mask (&dips)[3]) {
    // No dip is deeper than the sum of all terms.
    Values depth_p = magnitude(path.p.c[terms]), depth_m = magnitude(path.m.c[terms]);
    for (int i = terms - 1; i > 0; i--) {
      depth_p += magnitude(path.p.c[i]);
      depth_m += magnitude(path.m.c[i]);
    }
    const Values depth[3] = {depth_p, depth_m, k * depth_p + u * depth_m};
    Mask found{};
    for (int i = 0; i < 3; i++) {
      const Mask deep = dips[i] & (value[i] <= depth[i]);
      if (!bits(deep)) continue;
      Polynomial<T> way;
      for (int j = 1; j < terms; j++) {
        Values c[3];
        each(path.p.c[j + 1], path.m.c[j + 1], c);
        way.c[j] = c[i] * static_cast<T>(j + 1);
      }
      const Values one = Values{} + 1, secant = slope[i] / (slope[i] - rising[i]);
      const Values lowest = crossing(way, terms - 1, slope[i], pick(deep, secant, one), one, Mask{}, deep);
      Values at[3];
      each(path.p.at(lowest, terms), path.m.at(lowest, terms), at);
      const Mask below = deep & (value[i] + at[i] < 0);
      high[i] = pick(below, lowest, high[i]);
      wanted[i] |= below;
      found |= below;
    }
    return found;
  }
};

}  // namespace stnkit::flow
