// The trajectory of one point through the regions, piece by piece, as stnkit/families/flows/trajectory.py has it.
#pragma once

namespace stnkit::flow {

template <class T>
struct Place {
  int64_t region;
  T P, M;
};

// A barrier along a piece: its value and its first two derivatives in time.
template <class T>
struct Level {
  T value, slope, bend;

  T at(const Series<T>& s) const { return value + (s.alpha * slope + s.beta * bend); }
  T slope_at(const Series<T>& s) const { return s.identity * slope + s.linear * bend; }
};

// The time in [0, high] at which the level changes its sign; of one that is 0 at 0, the other one. `end` is its value at
// `high`.
template <class T>
T root(const Level<T>& level, const Field<T>& field, T high, T end, bool on) {
  const T precision = Numbers<T>::ROOT * high;
  const bool start = level.value < 0;
  // First that of the parabola with these values and this slope, falling.
  const T sign = start ? T(-1) : T(1), v = sign * level.value, s = sign * level.slope;
  const T square = sign * (end - level.value) / (high * high) - s / high;
  T low = 0, time = on ? -s / square : 2 * v / (std::sqrt(std::max(s * s - 4 * square * v, T(0))) - s);
  if (!(time > 0 && time < high)) time = high / 2;
  for (int step = 0; step < ROOT_STEPS; step++) {
    const Series<T> series(time, field);
    const T value = level.at(series), slope = level.slope_at(series);
    ((value < 0) != start ? high : low) = time;
    T next = time - value / (slope - (on ? value / time : T(0)));
    if (!(next > low && next < high)) next = (low + high) / 2;
    const bool settled = std::abs(next - time) <= precision;
    time = next;
    if (settled) break;
  }
  return time;
}

// The velocity and its change at a place.
template <class T>
struct Motion {
  T p, m, cp, cm;

  Motion(const Place<T>& at, const Field<T>& field) {
    field.velocity(at.P, at.M, p, m);
    field.change(p, m, cp, cm);
  }
};

// The time of the first exit within a step, and its barrier; the step and −1 without one.
template <class T>
T first_exit(const Place<T>& at, const Motion<T>& motion, const Field<T>& field, const T* slopes, T step, bool stuck,
             const Series<T>& end, int& barrier) {
  const T p = motion.p, m = motion.m, cp = motion.cp, cm = motion.cm;
  const T k = slopes[0], u = slopes[1], tangent = Numbers<T>::TANGENT * (std::abs(p) + std::abs(m));
  Level<T> levels[3] = {{at.P, p, cp}, {at.M, m, cm}, {1 - (k * at.P + u * at.M), -(k * p + u * m), -(k * cp + u * cm)}};
  barrier = -1;
  bool stays = true;  // as most of them do, in one piece of code without branches
  for (const Level<T>& level : levels) {
    stays &= ((level.value > 0) | (level.slope > tangent)) & (level.at(end) >= 0) &
             !((level.slope < 0) & (level.slope_at(end) > 0));
  }
  if (stays) return step;
  T earliest = std::numeric_limits<T>::infinity();
  for (int i = 0; i < 3; i++) {
    Level<T>& level = levels[i];
    const bool on = level.value <= 0;
    if (on) level.value = 0;
    const T value = level.at(end);
    T high = step, last = value, time;
    if (on && (std::abs(level.slope) <= tangent || level.slope < 0)) {
      // Two regions see a slope with opposite signs, but for its rounding; then the end of the step decides.
      const bool leaves = std::abs(level.slope) <= tangent ? value < 0 : true;
      if (stuck || !leaves) continue;
      barrier = i;
      return 0;
    } else {
      if (!(value < 0)) {
        const T rising = level.slope_at(end);
        if (on || !(level.slope < 0) || !(rising > 0)) continue;
        // A dip: the slope solves the same equation, one derivative up.
        const Level<T> above{level.slope, level.bend, field.trace * level.bend - field.determinant * level.slope};
        high = root(above, field, step, rising, false);
        last = level.at(Series<T>(high, field));
        if (!(last < 0)) continue;
      }
      time = root(level, field, high, last, on);
    }
    if (time < earliest) {
      earliest = time;
      barrier = i;
    }
  }
  if (earliest <= step) return earliest;
  barrier = -1;
  return step;
}

// The fields of all regions, and their series for a unit of time where it is one step; made when they are asked for.
template <class T>
class Fields {
 public:
  Fields(const T* coefficients, int64_t regions) : coefficients(coefficients) {
    made.resize(static_cast<size_t>(regions));
    known.assign(static_cast<size_t>(regions), 0);
  }
  void reset(const T* others) {
    coefficients = others;
    std::fill(known.begin(), known.end(), char(0));
  }
  struct Entry {
    Field<T> field;
    Series<T> whole;
  };
  const Entry& operator[](int64_t region) {
    const size_t r = static_cast<size_t>(region);
    if (!known[r]) {
      const Field<T> field(coefficients + 6 * region);
      made[r] = {field, Series<T>(field.reach >= 1 ? T(1) : T(0), field)};
      known[r] = 1;
    }
    return made[r];
  }

 private:
  const T* coefficients;
  std::vector<Entry> made;
  std::vector<char> known;
};

// Moves a place to time 1; piece(place, field, time) sees each piece before.
template <class T, class Visit>
void walk(Place<T>& at, Fields<T>& fields, const Charts<T>& charts, const Visit& piece) {
  T remaining = 1;
  int stalls = 0;
  for (int n = 0; n < MOST_PIECES && remaining > 0; n++) {
    const auto& entry = fields[at.region];
    const Field<T>& field = entry.field;
    const T step = std::min(remaining, field.reach);
    const Series<T> end = step == 1 ? entry.whole : Series<T>(step, field);
    const Motion<T> motion(at, field);
    int barrier;
    const T time =
        first_exit(at, motion, field, charts.slopes + 2 * at.region, step, stalls > MOST_STALLS, end, barrier);
    piece(at, field, time);
    stalls = barrier >= 0 && time <= Numbers<T>::EPSILON ? stalls + 1 : 0;
    remaining = barrier < 0 && time >= remaining ? 0 : remaining - time;
    if (time > 0) {
      const Series<T> series = barrier < 0 ? end : Series<T>(time, field);
      at.P += series.alpha * motion.p + series.beta * motion.cp;
      at.M += series.alpha * motion.m + series.beta * motion.cm;
    }
    if (barrier < 0) continue;
    // Not moved onto the barrier: what the time of an exit is off would be lost, and so it is made up for.
    const T* t = charts.transition + 6 * (3 * at.region + barrier);
    at = {charts.neighbor[3 * at.region + barrier], t[0] + t[1] * at.P + t[2] * at.M, t[3] + t[4] * at.P + t[5] * at.M};
  }
}

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

// Points of one region that stay in it, told by both ends of their way, and the others.
template <class T>
struct Stays {
  static constexpr int64_t MOST = 256;
  T x[MOST], y[MOST];  // the ends of those that stay
  int32_t known[MOST];
  int32_t others[MOST];  // indices of those that must be followed
  int64_t n_others;

  // All of them must be followed.
  void skip(int64_t n) {
    std::fill(known, known + n, 0);
    for (int64_t i = 0; i < n; i++) others[i] = static_cast<int32_t>(i);
    n_others = n;
  }

  void find(const Field<T>& field, const Series<T>& series, const Charts<T>& charts, int64_t region, const T* from_p,
            const T* from_m, int64_t n) {
    const T k = charts.slopes[2 * region], u = charts.slopes[2 * region + 1], alpha = series.alpha, beta = series.beta;
    const T w0 = field.w[0], w1 = field.w[1], w2 = field.w[2], w3 = field.w[3], w4 = field.w[4], w5 = field.w[5];
    const T *o = charts.origin + 2 * region, *e = charts.edges + 4 * region;
    const T o0 = o[0], o1 = o[1], e0 = e[0], e1 = e[1], e2 = e[2], e3 = e[3];
    for (int64_t i = 0; i < n; i++) {
      const T a = from_p[i], b = from_m[i];
      const T p = w0 + w2 * a + w4 * b, m = w1 + w3 * a + w5 * b;
      const T c = a + (alpha * p + beta * (w2 * p + w4 * m)), d = b + (alpha * m + beta * (w3 * p + w5 * m));
      const T q = w0 + w2 * c + w4 * d, r = w1 + w3 * c + w5 * d;  // the velocity at the end
      x[i] = o0 + (e0 * c + e1 * d);
      y[i] = o1 + (e2 * c + e3 * d);
      // Inside at both ends, and no barrier that is approached first and left later; on one only if it is left.
      const T s = k * p + u * m, f = k * q + u * r, least = Numbers<T>::TANGENT * (std::abs(p) + std::abs(m));
      const bool begins = ((a > 0) | (p > least)) & ((b > 0) | (m > least)) & ((k * a + u * b < 1) | (s < -least));
      const bool ends = (c >= 0) & (d >= 0) & (k * c + u * d <= 1);
      const bool turns = ((p < 0) & (q > 0)) | ((m < 0) & (r > 0)) | ((s > 0) & (f < 0));
      known[i] = begins & ends & !turns ? 1 : 0;
    }
    n_others = 0;
    for (int64_t i = 0; i < n; i++) {
      others[n_others] = static_cast<int32_t>(i);
      n_others += 1 - known[i];
    }
  }
};

}  // namespace stnkit::flow
