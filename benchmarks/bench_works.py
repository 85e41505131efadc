"""Every contender in turns with the base, call by call where calls are short: a drifting machine is fair to all.

A ratio is that of two neighbors. The base is measured once more for each contender because it is the fast one mostly.
"""

import torch

from case import Case

# Before any work asks for another number.
THREADS = torch.get_num_threads()

# Of each contender in each turn; at least one call.
SECONDS = 0.07
# Next to a long call, so much of its time: one short call would be measured in whatever state it left the machine.
SHARE = 0.1
MOST_CALLS = 30
# Two neighbors that take less than this, the second one up to three times as long, are called in turn, and so alike.
ALIKE, TIMES = 0.15, 3
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
    torch.set_num_threads(case.work.threads or THREADS)
    ready, other = case.ready(contender), case.other(beside)
    faster, slower = sorted([ready.seconds, other.seconds])
    if turn >= min([case.turns, *(turns for seconds, turns in FEWER_TURNS.items() if slower > seconds)]):
        return
    between, seconds, warmups = None, ready.seconds * case.calls, 0
    if case.calls == 1:
        # Repeated by itself, a short call would find its own inputs in the caches, as it never does between the layers
        # of a network.
        if slower < SECONDS or slower < min(ALIKE, TIMES * faster):
            between, warmups = other.call.run, int(slower < SECONDS)
            seconds += other.seconds
        elif ready.seconds < SECONDS:
            between, warmups = fill_the_caches, 1
            seconds += FILLING
    benchmark.pedantic(
        ready.call.run,
        setup=None if between is None else lambda: (between(), None)[1],
        rounds=max(1, min(MOST_CALLS, int(max(SECONDS, SHARE * slower) / seconds))),
        warmup_rounds=warmups,
        iterations=case.calls,
    )
    case.record(contender, beside, benchmark)
