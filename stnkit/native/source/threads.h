// parallel(total, threads, f): f(begin, end) on shares of 0 … total, on torch's own threads.
#pragma once
#include <atomic>
#include <cstdint>
#include <new>
#include <stdexcept>

namespace stnkit {

// `torch_parallel_for` of torch/csrc/stable/c/shim.h: begin, end, grain, function, context; 0 for success.
using ParallelFor = int32_t (*)(int64_t, int64_t, int64_t, void (*)(int64_t, int64_t, void*), void*);

inline ParallelFor& parallel_for() {
  static ParallelFor address = nullptr;
  return address;
}

// Null for one thread.
inline void set_parallel_for(void* address) { parallel_for() = reinterpret_cast<ParallelFor>(address); }

// f must overwrite: its shares depend on the number of threads, and so must nothing else.
template <class F>
void parallel(int64_t total, int threads, const F& f) {
  if (total <= 0) return;
  const ParallelFor run = parallel_for();
  if (threads <= 1 || total < 2 || !run) {
    f(int64_t{0}, total);
    return;
  }
  // No exception crosses the C interface of torch.
  struct Context {
    const F& f;
    std::atomic<bool> no_memory;
  } context{f, {false}};
  const auto share = [](int64_t begin, int64_t end, void* given) {
    Context& c = *static_cast<Context*>(given);
    try {
      c.f(begin, end);
    } catch (const std::bad_alloc&) {
      c.no_memory = true;
    }
  };
  // The grain holds the number of threads down to `threads`: torch's pool may be larger.
  const int32_t failed = run(0, total, (total + threads - 1) / threads, share, &context);
  if (context.no_memory) throw std::bad_alloc();
  if (failed) throw std::runtime_error("torch_parallel_for failed");
}

}  // namespace stnkit
