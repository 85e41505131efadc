// The flow of velocity fields that are cubic B-splines on a lattice, by Runge–Kutta steps.
#pragma once
#include <cstdint>

namespace stnkit::spline {

template <class T>
struct Problem {
  int64_t batch, points, shared, dimensions, steps;  // shared: 1 where all fields have the same points
  int64_t counts[3];                                 // control points along x, y and z
  const T* velocities;                               // of the control points, a plane for each coordinate of each field
  const T* start;                                    // planes of the points at time 0
  T* out;                                            // planes at time 1; their gradient in a backward pass
  double* partial;                                   // units × velocities, for the gradient to these
  T* of_velocities;                                  // as `velocities`
  T* of_points;                                      // as `out`; may be null
  int threads;
};

}  // namespace stnkit::spline
