// Calls of the kernels for bytes from Python. Included behind Python.h.
#pragma once

namespace stnkit::calls {

// Arguments of `warp_bytes`.
enum ByteArgument {
  BYTE_OUT, BYTE_OUT_STRIDE, BYTE_IMAGE, BYTE_SHAPE, BYTE_STRIDE, MATRIX, BYTE_SIZE, BYTE_PADDING, BYTE_FILL,
  BYTE_THREADS, N_BYTES
};

inline PyObject* warp_bytes(PyObject*, PyObject* const* given, Py_ssize_t n) {
  if (!is_count(n, N_BYTES)) return nullptr;
  ByteProblem p{};
  void *out, *source;
  int64_t shape[3], stride[2], out_stride[2], size[2], threads;
  std::vector<float> fill;
  if (!address(given[BYTE_OUT], out) || !integers(given[BYTE_OUT_STRIDE], out_stride, 2) ||
      !address(given[BYTE_IMAGE], source) || !integers(given[BYTE_SHAPE], shape, 3) ||
      !integers(given[BYTE_STRIDE], stride, 2) || !integers(given[BYTE_SIZE], size, 2) ||
      !padding_of(given[BYTE_PADDING], p.padding) || !fill_of(given[BYTE_FILL], 4, fill) ||
      !integer(given[BYTE_THREADS], threads)) {
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < 9; i++) {
    PyObject* item = PySequence_GetItem(given[MATRIX], i);
    p.matrix[i] = item ? PyFloat_AsDouble(item) : 0;
    Py_XDECREF(item);
    if (PyErr_Occurred()) return nullptr;
  }
  p.out = static_cast<uint8_t*>(out), p.image = static_cast<const uint8_t*>(source);
  p.H = shape[0], p.W = shape[1], p.C = shape[2], p.Ho = size[0], p.Wo = size[1];
  p.image_row = stride[0], p.image_pixel = stride[1], p.out_row = out_stride[0], p.out_pixel = out_stride[1];
  for (size_t c = 0; c < 4; c++) p.fill[c] = fill[c];
  p.threads = static_cast<int>(threads);
  return run(p.Ho * p.Wo, [&] { bytes::forward(p); });
}

// Arguments of `reduce_bytes`.
enum ReductionArgument { REDUCED, GIVEN, GIVEN_SHAPE, GIVEN_ROW, BOX, N_REDUCTION };

inline PyObject* reduce_bytes(PyObject*, PyObject* const* given, Py_ssize_t n) {
  if (!is_count(n, N_REDUCTION)) return nullptr;
  Reduction p{};
  int64_t shape[3], box[2];
  if (!pointer(given[REDUCED], p.out) || !pointer(given[GIVEN], p.image) || !integers(given[GIVEN_SHAPE], shape, 3) ||
      !integer(given[GIVEN_ROW], p.image_row) || !integers(given[BOX], box, 2)) {
    return nullptr;
  }
  p.H = shape[0], p.W = shape[1], p.channels = shape[2], p.rows = box[0], p.columns = box[1];
  return run(p.H * p.W, [&] { bytes::reduce(p); });
}

}  // namespace stnkit::calls
