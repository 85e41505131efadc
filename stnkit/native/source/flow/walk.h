// Points that change their region, piece by piece, as stnkit/families/flows/trajectory.py has it: all of them one piece,
// then those that are not at their end the next one.
#pragma once

namespace stnkit::flow {

// A share of the points of one field: long enough that its constants cost little, short enough for all threads.
constexpr int64_t UNIT = 8192;

inline int64_t units_of(int64_t points) { return std::max<int64_t>(1, (points + UNIT - 1) / UNIT); }

// run(region, begin, end) for the points begin … end of a unit that are in one region.
template <class T, class Run>
void for_runs(const Start<T>& start, const int32_t* first, int64_t regions, int64_t unit, const Run& run) {
  const int64_t begin = unit * UNIT, end = std::min(start.points, begin + UNIT);
  for (int64_t r = std::upper_bound(first, first + regions, begin) - first - 1; r < regions && first[r] < end; r++) {
    const int64_t low = std::max<int64_t>(first[r], begin), high = std::min<int64_t>(first[r + 1], end);
    if (low < high) run(r, low, high);
  }
}

// Points on their way, one behind the other, by their numbers in the unit; lanes behind the last are at rest, with the
// number UNIT.
template <class T>
struct Wave {
  static constexpr int N = Lanes<T>::N;
  static constexpr int64_t MOST = 1024;
  using Values = typename Lanes<T>::Values;
  using Mask = typename Lanes<T>::Mask;
  using Integer = typename Lanes<T>::Integer;
  int64_t count = 0;
  T P[MOST + N], M[MOST + N], remaining[MOST + N];
  Integer region[MOST + N], point[MOST + N], stalls[MOST + N];

  bool is_full() const { return count > MOST - N; }

  // The lanes of a set start, `first` being the number of the first lane.
  void add(int set, int64_t r, int64_t first, const Values& p, const Values& m) {
    put(set, Mask{} + static_cast<Integer>(r), lane_numbers<T>() + static_cast<Integer>(first), p, m, Values{} + 1, Mask{});
  }

  void put(int set, const Mask& r, const Mask& number, const Values& p, const Values& m, const Values& time,
           const Mask& n_stalls) {
    store_packed(P + count, p, set);
    store_packed(M + count, m, set);
    store_packed(remaining + count, time, set);
    store_packed(region + count, r, set);
    store_packed(point + count, number, set);
    store_packed(stalls + count, n_stalls, set);
    count += __builtin_popcount(static_cast<unsigned>(set));
  }

  void put_at_rest() {
    store(P + count, Values{} + T(0.25));
    store(M + count, Values{} + T(0.25));
    store(remaining + count, Values{});
    store(region + count, Mask{});
    store(point + count, Mask{} + static_cast<Integer>(UNIT));
    store(stalls + count, Mask{});
  }
};

// Moves all points of a wave to time 1. piece(P, M, region, point, time) sees each piece before, of all lanes, and
// turn() the end of a turn; ends(set, P, M, region, point) sees the points at time 1.
template <class T, class Piece, class Turn, class Ends>
void follow(Wave<T>& wave, const Fields<T>& fields, const Geometry<T>& geometry, const Piece& piece, const Turn& turn,
            const Ends& ends) {
  constexpr int N = Lanes<T>::N;
  using Values = typename Lanes<T>::Values;
  using Mask = typename Lanes<T>::Mask;
  using Integer = typename Lanes<T>::Integer;
  const Integer none = static_cast<Integer>(3 * fields.regions);
  for (int n = 0; wave.count > 0; n++) {
    const int64_t count = wave.count;
    wave.put_at_rest();
    wave.count = 0;
    for (int64_t i = 0; i < count; i += N) {
      const Values P = load<Values>(wave.P + i), M = load<Values>(wave.M + i), left = load<Values>(wave.remaining + i);
      const Mask region = load<Mask>(wave.region + i), point = load<Mask>(wave.point + i),
                 stalls = load<Mask>(wave.stalls + i);
      Values w[8], step = left;
      read_records(fields.records.data(), region, w);
      if (fields.limited) {
        const Values reach = gathered(fields.reach.data(), region);
        step = pick(reach < left, reach, left);
      }
      const Path<T> path(w, P, M, step, Recurrence<T>(w, step));
      const Exit<T> exit(path, P, M, w[6], w[7], stalls > MOST_STALLS);
      const Values time = exit.share * step;
      piece(P, M, region, point, time);
      const Mask leaves = exit.barrier >= 0;
      const Values p = P + exit.p, m = M + exit.m;
      const Values after = pick(~leaves & (time >= left), Values{}, left - time);
      // Not moved onto the barrier: what the time of an exit is off would be lost, and so it is made up for.
      Values t[8];
      read_records(geometry.transitions.data(), pick(leaves, 3 * region + exit.barrier, Mask{} + none), t);
      const Values next_p = pick(leaves, t[0] + t[1] * p + t[2] * m, p),
                   next_m = pick(leaves, t[3] + t[4] * p + t[5] * m, m);
      const Mask next = pick(leaves, (Mask)t[6], region);
      const int present = static_cast<int>((int64_t(1) << std::min<int64_t>(N, count - i)) - 1);
      const int goes_on = n + 1 < MOST_PIECES ? bits(after > 0) & present : 0, over = present & ~goes_on;
      if (over) ends(over, next_p, next_m, next, point);
      wave.put(goes_on, next, point, next_p, next_m, after,
               (stalls + 1) & leaves & (time <= Numbers<T>::EPSILON));
    }
    turn();
  }
}

}  // namespace stnkit::flow
