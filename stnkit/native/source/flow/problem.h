// The flow of a batch of fields, each affine in the regions of a tessellation, as stnkit/families/flows has them.
#pragma once
#include <cstdint>

namespace stnkit::flow {

// Regions {P ≥ 0, M ≥ 0, 1 − κP − μM ≥ 0}, in the order of stnkit.families.flows.tessellation.Charts.
template <class T>
struct Charts {
  int64_t regions;
  const T *origin, *edges, *inverse, *slopes;  // R × 2, R × 2 × 2 twice, R × 2
  const int64_t* neighbor;                     // R × 3
  const T* transition;                         // R × 3 × 2 × 3
};

// Points at time 0, sorted by their region.
template <class T>
struct Start {
  int64_t points, shared;  // number for each field; 1 where all fields have the same
  const int32_t* order;    // index of each, before sorting
  const int32_t* first;    // R + 1: the first point of each region
  const T* chart;          // two planes, P and M
};

template <class T>
struct Problem {
  int64_t batch;
  Charts<T> charts;
  Start<T> start;
  const T* coefficients;  // batch × R × 6: w₀, w₁, w₂
  T* out;                 // two planes for each field; their gradient in a backward pass
  double* partial;        // units × R × 6, for the gradient to the coefficients
  T* of_coefficients;     // as `coefficients`
  T* of_points;           // as `out`; may be null
  int threads;
};

}  // namespace stnkit::flow
