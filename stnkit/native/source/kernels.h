// The kernels, compiled for AVX2 and FMA whatever the processor of the compiler is: module.cpp tells if they may run.
#pragma once
// Before the instructions are chosen: functions of the library may be shared with code that runs everywhere.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "bytes/problem.h"
#include "flow/problem.h"
#include "problem.h"
#include "spline/problem.h"
#include "threads.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define STNKIT_KERNELS 1
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#include "bytes/reduction.h"
#include "bytes/warp.h"
#include "fast/warp.h"
#include "flow/flow.h"
#include "general/warp.h"
#include "spline/flow.h"

namespace stnkit {

inline void forward(const Problem& p) { fast::takes(p) ? fast::forward(p) : general::forward(p); }

inline void backward(const Problem& p, const Gradients& g) {
  fast::takes(p, g) ? fast::backward(p, g) : general::backward(p, g);
}

}  // namespace stnkit

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else

namespace stnkit {
inline void forward(const Problem&) {}
inline void backward(const Problem&, const Gradients&) {}
namespace bytes {
inline void forward(const ByteProblem&) {}
inline void reduce(const Reduction&) {}
}  // namespace bytes
namespace flow {
template <class T>
void forward(const Problem<T>&) {}
template <class T>
void backward(const Problem<T>&) {}
}  // namespace flow
namespace spline {
template <class T>
void forward(const Problem<T>&) {}
template <class T>
void backward(const Problem<T>&) {}
}  // namespace spline
}  // namespace stnkit

#endif
