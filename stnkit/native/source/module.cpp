// The Python module `stnkit.native._kernels`: plain numbers and addresses in, no header of torch, one build for every
// version of Python from 3.11 on.
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

#include <atomic>
#include <new>
#include <vector>

#include "kernels.h"
#include "arguments.h"
#include "byte_calls.h"
#include "flow_calls.h"

namespace {

using namespace stnkit::calls;
using stnkit::Gradients;
using stnkit::Image;
using stnkit::Padding;
using stnkit::Problem;

// Number of the calling convention below: `library.py` refuses a build with another one.
constexpr int INTERFACE = 7;

// Arguments of `forward`; `backward` takes its own behind them.
enum Argument {
  OUT, OUT_STRIDE, IMAGE, IMAGE_SHAPE, IMAGE_STRIDE, COORDINATES, ROWS, GRID_STRIDE,
  HEIGHT, WIDTH, TAPS, SLOPE, PADDING, FILL, THREADS, N_FORWARD,
  OF_IMAGE = N_FORWARD, OF_IMAGE_STRIDE, OF_COORDINATES, N_BACKWARD
};

// Passes since the library was loaded.
std::atomic<int64_t> forward_passes{0}, backward_passes{0};

bool image(PyObject* data, PyObject* stride, Image& made) {
  void* values;
  if (!address(data, values) || !integers(stride, made.stride, 4)) return false;
  made.data = static_cast<float*>(values);
  return true;
}

bool problem_of(PyObject* const* given, Py_ssize_t n, Py_ssize_t expected, Problem& p, std::vector<float>& fill) {
  if (n != expected) {
    PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", expected, n);
    return false;
  }
  int64_t shape[4], rows, taps, threads;
  void* coordinates;
  const bool read =
      image(given[OUT], given[OUT_STRIDE], p.out) && image(given[IMAGE], given[IMAGE_STRIDE], p.image) &&
      integers(given[IMAGE_SHAPE], shape, 4) && address(given[COORDINATES], coordinates) &&
      integer(given[ROWS], rows) && integers(given[GRID_STRIDE], p.grid_stride, 3) && integer(given[HEIGHT], p.Ho) &&
      integer(given[WIDTH], p.Wo) && integer(given[TAPS], taps) && number(given[SLOPE], p.a) &&
      padding_of(given[PADDING], p.padding) && integer(given[THREADS], threads) &&
      fill_of(p.padding == Padding::fill ? given[FILL] : Py_None, shape[1], fill);
  if (!read) return false;
  if (taps != 2 && taps != 4) {
    PyErr_Format(PyExc_ValueError, "taps: expected 2 or 4, got %lld", static_cast<long long>(taps));
    return false;
  }
  p.N = shape[0], p.C = shape[1], p.H = shape[2], p.W = shape[3];
  p.rows = static_cast<int>(rows);
  p.coordinates = static_cast<const float*>(coordinates);
  p.taps = static_cast<int>(taps);
  p.fill = fill.data();
  p.threads = static_cast<int>(threads);
  return true;
}

PyObject* forward(PyObject*, PyObject* const* given, Py_ssize_t n) {
  Problem p{};
  std::vector<float> fill;
  if (!problem_of(given, n, N_FORWARD, p, fill)) return nullptr;
  forward_passes++;
  return run(p.N * p.C * p.Ho * p.Wo, [&] { stnkit::forward(p); });
}

// OUT is the gradient of the output here.
PyObject* backward(PyObject*, PyObject* const* given, Py_ssize_t n) {
  Problem p{};
  Gradients g{};
  std::vector<float> fill;
  void* of_coordinates;
  if (!problem_of(given, n, N_BACKWARD, p, fill) || !image(given[OF_IMAGE], given[OF_IMAGE_STRIDE], g.of_image) ||
      !address(given[OF_COORDINATES], of_coordinates)) {
    return nullptr;
  }
  backward_passes++;
  g.of_out = p.out;
  g.of_coordinates = static_cast<float*>(of_coordinates);
  return run(p.N * p.C * p.Ho * p.Wo, [&] { stnkit::backward(p, g); });
}

PyObject* use_threads(PyObject*, PyObject* given) {
  void* function;
  if (!address(given, function)) return nullptr;
  stnkit::set_parallel_for(function);
  Py_RETURN_NONE;
}

PyObject* passes(PyObject*, PyObject*) {
  return Py_BuildValue("LL", static_cast<long long>(forward_passes), static_cast<long long>(backward_passes));
}

PyObject* supports_this_cpu(PyObject*, PyObject*) {
#ifdef STNKIT_KERNELS
  __builtin_cpu_init();  // Clang's runtime may not have done it
  return PyBool_FromLong(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
#else
  Py_RETURN_FALSE;
#endif
}

template <class Function>
PyCFunction method(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef METHODS[] = {
    {"forward", method(forward), METH_FASTCALL, "Write the warped image into the memory of `out`."},
    {"backward", method(backward), METH_FASTCALL, "Write the gradients to the image and to the coordinates."},
    {"flow", method(flow), METH_FASTCALL, "Write the points at time 1 into the memory of `out`."},
    {"flow_backward", method(flow_backward), METH_FASTCALL, "Write the gradients to the coefficients and to the points."},
    {"spline_flow", method(spline_flow), METH_FASTCALL, "Write the points that follow a spline to time 1."},
    {"spline_flow_backward", method(spline_flow_backward), METH_FASTCALL, "Write the gradients to velocities and points."},
    {"warp_bytes", method(warp_bytes), METH_FASTCALL, "Write the warped bytes into the memory of `out`."},
    {"reduce_bytes", method(reduce_bytes), METH_FASTCALL, "Write the means of boxes of bytes into the memory of `out`."},
    {"use_threads", use_threads, METH_O, "Run units of work by the function at this address, torch_parallel_for."},
    {"passes", method(passes), METH_NOARGS, "Numbers of forward and backward passes."},
    {"supports_this_cpu", supports_this_cpu, METH_NOARGS, "True if the processor has AVX2 and FMA."},
    {nullptr, nullptr, 0, nullptr}};

int fill_module(PyObject* module) { return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE); }

PyModuleDef_Slot SLOTS[] = {{Py_mod_exec, reinterpret_cast<void*>(fill_module)}, {0, nullptr}};

PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_kernels", "The native warp, on addresses of memory.", 0, METHODS, SLOTS,
                      nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__kernels() { return PyModuleDef_Init(&MODULE); }
