// Arguments of the Python module, and runs of the kernels. Included behind Python.h.
#pragma once

namespace stnkit::calls {

// Elements of the output from which releasing the interpreter lock costs less than the work itself.
constexpr int64_t LONG_WORK = 4096;

inline bool integers(PyObject* tuple, int64_t* values, Py_ssize_t n) {
  if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != n) {
    PyErr_SetString(PyExc_TypeError, "expected a tuple of another length");
    return false;
  }
  for (Py_ssize_t i = 0; i < n; i++) {
    values[i] = PyLong_AsLongLong(PyTuple_GetItem(tuple, i));
    if (values[i] == -1 && PyErr_Occurred()) return false;
  }
  return true;
}

inline bool is_count(Py_ssize_t n, Py_ssize_t expected) {
  if (n != expected) PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", expected, n);
  return n == expected;
}

inline bool integer(PyObject* given, int64_t& value) {
  value = PyLong_AsLongLong(given);
  return !(value == -1 && PyErr_Occurred());
}

inline bool number(PyObject* given, float& value) {
  value = static_cast<float>(PyFloat_AsDouble(given));
  return !PyErr_Occurred();
}

inline bool address(PyObject* given, void*& value) {
  value = PyLong_AsVoidPtr(given);
  return value || !PyErr_Occurred();
}

template <class T>
bool pointer(PyObject* given, T*& made) {
  void* found;
  if (!address(given, found)) return false;
  made = static_cast<T*>(found);
  return true;
}

inline bool padding_of(PyObject* name, Padding& padding) {
  const Py_UCS4 first = PyUnicode_Check(name) && PyUnicode_GetLength(name) > 0 ? PyUnicode_ReadChar(name, 0) : 0;
  switch (first) {
    case 'z': padding = Padding::zeros; return true;
    case 'b': padding = Padding::border; return true;
    case 'r': padding = Padding::reflection; return true;
    case 'c': padding = Padding::circular; return true;
    case 'f': padding = Padding::fill; return true;
    case 'm': padding = Padding::mirror; return true;
  }
  PyErr_SetString(PyExc_ValueError, "expected the name of a padding");
  return false;
}

// One number for all channels, or a list of one for each.
inline bool fill_of(PyObject* given, int64_t channels, std::vector<float>& values) {
  if (given == Py_None) return true;
  values.assign(static_cast<size_t>(channels), 0.f);
  if (PyFloat_Check(given) || PyLong_Check(given)) {
    float value;
    if (!number(given, value)) return false;
    values.assign(static_cast<size_t>(channels), value);
    return true;
  }
  if (PySequence_Size(given) != channels) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "expected one fill value for each channel");
    return false;
  }
  for (int64_t c = 0; c < channels; c++) {
    PyObject* item = PySequence_GetItem(given, static_cast<Py_ssize_t>(c));
    const bool known = item && number(item, values[static_cast<size_t>(c)]);
    Py_XDECREF(item);
    if (!known) return false;
  }
  return true;
}

// Runs the kernels, without the interpreter lock where that pays, and turns what they throw into a Python error.
template <class Work>
PyObject* run(int64_t elements, const Work& work) {
  const bool releasing = elements >= LONG_WORK;
  bool out_of_memory = false, failed = false;
  PyThreadState* state = releasing ? PyEval_SaveThread() : nullptr;
  try {
    work();
  } catch (const std::bad_alloc&) {
    out_of_memory = true;
  } catch (...) {
    failed = true;
  }
  if (state) PyEval_RestoreThread(state);
  if (out_of_memory) return PyErr_NoMemory();
  if (failed) {
    PyErr_SetString(PyExc_RuntimeError, "a native kernel failed");
    return nullptr;
  }
  Py_RETURN_NONE;
}

}  // namespace stnkit::calls
