"""What tells the time on each device, in seconds."""

import functools
import time

import torch


@functools.cache
def _beginning() -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    event.synchronize()
    return event


def gpu_clock() -> float:
    """By an event of the GPU's own, once it has done all that was asked of it before."""
    beginning, now = _beginning(), torch.cuda.Event(enable_timing=True)
    now.record()
    now.synchronize()
    return beginning.elapsed_time(now) / 1e3


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
