"""What tells the time on each device, in seconds."""

import time

import torch


class GpuClock:
    """By events of the GPU's own, once it has done all that was asked of it before."""

    def __init__(self) -> None:
        self._last: torch.cuda.Event | None = None
        self._seconds = 0.0

    def __call__(self) -> float:
        now = torch.cuda.Event(enable_timing=True)
        now.record()
        now.synchronize()
        if self._last is not None:
            # Added up from reading to reading: the distance of two events has the digits of a float32.
            self._seconds += self._last.elapsed_time(now) / 1e3
        self._last = now
        return self._seconds


gpu_clock = GpuClock()
CLOCKS = {"cpu": time.perf_counter, "cuda": gpu_clock}


def copy_bandwidth(n_bytes: int = 2**30, repetitions: int = 20) -> float:
    """Bytes that a plain copy on the GPU reads and writes in a second."""
    source = torch.empty(n_bytes, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    target.copy_(source)
    began = gpu_clock()
    for _ in range(repetitions):
        target.copy_(source)
    return 2 * n_bytes * repetitions / (gpu_clock() - began)
