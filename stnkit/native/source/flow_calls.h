// Calls of the flows from Python. Included behind Python.h.
#pragma once

namespace stnkit::calls {

// Arguments of `flow`; `flow_backward`, where FLOW_OUT is the gradient, takes its own behind them.
enum FlowArgument {
  FLOW_OUT, COEFFICIENTS, CHARTS, ORDER, FIRST, CHART, BATCH, REGIONS, POINTS, SHARED, WIDE, FLOW_THREADS, N_FLOW,
  PARTIAL = N_FLOW, OF_COEFFICIENTS, OF_POINTS, N_FLOW_BACKWARD
};

template <class T, class Work>
PyObject* flow_of(PyObject* const* given, bool backward, const Work& work) {
  stnkit::flow::Problem<T> p{};
  int64_t charts[6], threads;
  T *coefficients, *chart;
  int32_t *order, *first;
  if (!pointer(given[FLOW_OUT], p.out) || !pointer(given[COEFFICIENTS], coefficients) || !integers(given[CHARTS], charts, 6) ||
      !pointer(given[ORDER], order) || !pointer(given[FIRST], first) || !pointer(given[CHART], chart) || !integer(given[BATCH], p.batch) ||
      !integer(given[REGIONS], p.charts.regions) || !integer(given[POINTS], p.start.points) ||
      !integer(given[SHARED], p.start.shared) || !integer(given[FLOW_THREADS], threads)) {
    return nullptr;
  }
  if (backward && (!pointer(given[PARTIAL], p.partial) || !pointer(given[OF_COEFFICIENTS], p.of_coefficients) ||
                   !pointer(given[OF_POINTS], p.of_points))) {
    return nullptr;
  }
  p.coefficients = coefficients;
  p.start = {p.start.points, p.start.shared, order, first, chart};
  p.charts = {p.charts.regions,
              reinterpret_cast<const T*>(charts[0]),
              reinterpret_cast<const T*>(charts[1]),
              reinterpret_cast<const T*>(charts[2]),
              reinterpret_cast<const T*>(charts[3]),
              reinterpret_cast<const int64_t*>(charts[4]),
              reinterpret_cast<const T*>(charts[5])};
  p.threads = static_cast<int>(threads);
  return run(p.batch * p.start.points, [&] { work(p); });
}

template <class Work>
PyObject* flow_of(PyObject* const* given, Py_ssize_t n, Py_ssize_t expected, const Work& work) {
  if (!is_count(n, expected)) return nullptr;
  const bool backward = expected == N_FLOW_BACKWARD;
  return given[WIDE] == Py_True ? flow_of<double>(given, backward, work) : flow_of<float>(given, backward, work);
}

inline PyObject* flow(PyObject*, PyObject* const* given, Py_ssize_t n) {
  return flow_of(given, n, N_FLOW, [](const auto& p) { stnkit::flow::forward(p); });
}

inline PyObject* flow_backward(PyObject*, PyObject* const* given, Py_ssize_t n) {
  return flow_of(given, n, N_FLOW_BACKWARD, [](const auto& p) { stnkit::flow::backward(p); });
}

// Arguments of `spline_flow`; `spline_flow_backward`, where SPLINE_OUT is the gradient, takes its own behind them.
enum SplineArgument {
  SPLINE_OUT, VELOCITIES, START, SPLINE_BATCH, SPLINE_POINTS, SPLINE_SHARED, COUNTS, STEPS, SPLINE_WIDE, SPLINE_THREADS,
  N_SPLINE,
  SPLINE_PARTIAL = N_SPLINE, OF_VELOCITIES, OF_START, N_SPLINE_BACKWARD
};

template <class T, class Work>
PyObject* spline_of(PyObject* const* given, bool backward, const Work& work) {
  stnkit::spline::Problem<T> p{};
  T *velocities, *start;
  int64_t threads;
  if (!pointer(given[SPLINE_OUT], p.out) || !pointer(given[VELOCITIES], velocities) || !pointer(given[START], start) ||
      !integer(given[SPLINE_BATCH], p.batch) || !integer(given[SPLINE_POINTS], p.points) ||
      !integer(given[SPLINE_SHARED], p.shared) || !integer(given[STEPS], p.steps) ||
      !integer(given[SPLINE_THREADS], threads)) {
    return nullptr;
  }
  p.dimensions = PyTuple_Check(given[COUNTS]) ? PyTuple_Size(given[COUNTS]) : 0;
  if (p.dimensions != 2 && p.dimensions != 3) {
    PyErr_SetString(PyExc_ValueError, "expected two or three numbers of control points");
    return nullptr;
  }
  if (!integers(given[COUNTS], p.counts, static_cast<Py_ssize_t>(p.dimensions))) return nullptr;
  if (backward && (!pointer(given[SPLINE_PARTIAL], p.partial) || !pointer(given[OF_VELOCITIES], p.of_velocities) ||
                   !pointer(given[OF_START], p.of_points))) {
    return nullptr;
  }
  p.velocities = velocities;
  p.start = start;
  p.threads = static_cast<int>(threads);
  return run(p.batch * p.points * p.steps, [&] { work(p); });
}

template <class Work>
PyObject* spline_of(PyObject* const* given, Py_ssize_t n, Py_ssize_t expected, const Work& work) {
  if (!is_count(n, expected)) return nullptr;
  const bool backward = expected == N_SPLINE_BACKWARD;
  return given[SPLINE_WIDE] == Py_True ? spline_of<double>(given, backward, work)
                                       : spline_of<float>(given, backward, work);
}

inline PyObject* spline_flow(PyObject*, PyObject* const* given, Py_ssize_t n) {
  return spline_of(given, n, N_SPLINE, [](const auto& p) { stnkit::spline::forward(p); });
}

inline PyObject* spline_flow_backward(PyObject*, PyObject* const* given, Py_ssize_t n) {
  return spline_of(given, n, N_SPLINE_BACKWARD, [](const auto& p) { stnkit::spline::backward(p); });
}

}  // namespace stnkit::calls
