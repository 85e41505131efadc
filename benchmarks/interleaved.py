"""Contenders measured in turn, round after round, so that a machine whose speed drifts is fair to all."""

import statistics
import time
from collections.abc import Callable


def medians(
    contenders: dict[str, Callable[[], object]],
    seconds: float = 3.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median milliseconds of one call of each contender.

    Args:
        contenders: what to call; the first call of each warms up and is not counted.
        seconds: about how long to measure, at least 9 rounds and at most 200.
        clock: what tells the time; `time.process_time`, with one thread, leaves out what other programs took.
    """
    for call in contenders.values():
        call()
        call()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    began = time.perf_counter()
    while (rounds := len(next(iter(times.values())))) < 200:
        if rounds >= 9 and time.perf_counter() - began > seconds:
            break
        for name, call in contenders.items():
            start = clock()
            call()
            times[name].append(clock() - start)
    return {name: 1e3 * statistics.median(values) for name, values in times.items()}
