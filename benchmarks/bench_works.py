"""Every contender in turns with the base, call by call where calls are short: a drifting machine is fair to all.

A ratio is that of two neighbors. The base is measured once more for each contender because it is the fast one mostly.
"""

import torch

from case import Case

# Of each contender in each turn; at least one call.
SECONDS = 0.06
MOST_CALLS = 30
# About how long it takes to fill the caches.
FILLING = 0.01
# What takes longer than this has so many turns only.
FEWER_TURNS = {0.25: 4, 1.0: 2, 3.0: 1}


def fill_the_caches(held: list[torch.Tensor] = []) -> None:  # noqa: B006 made once, when it is needed
    """Read 64 MB of something else: written, they would have to be carried back during the call that is timed."""
    if not held:
        held.append(torch.ones(2**24))
    held[0].sum()


def bench_contender(benchmark, case: Case, contender: str, beside: str, turn: int) -> None:
    ready, other = case.ready(contender), case.other(beside)
    slower = max(ready.seconds, other.seconds)
    if turn >= min([case.turns, *(turns for seconds, turns in FEWER_TURNS.items() if slower > seconds)]):
        return
    between, seconds = None, ready.seconds * case.calls
    if case.calls == 1 and ready.seconds < SECONDS:
        # Repeated by itself, a short call would find its own inputs in the caches, as it never does between the layers
        # of a network.
        between = other.call.run if other.seconds < SECONDS else fill_the_caches
        seconds += min(other.seconds, FILLING)
    benchmark.pedantic(
        ready.call.run,
        setup=None if between is None else lambda: (between(), None)[1],
        rounds=max(1, min(MOST_CALLS, int(SECONDS / seconds))),
        warmup_rounds=int(ready.seconds < SECONDS),
        iterations=case.calls,
    )
    case.record(contender, beside, benchmark)
