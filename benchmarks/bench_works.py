"""Every contender in turns with the base: a b a c a b a c …, so that a machine whose speed drifts is fair to all.

A ratio is that of two neighbors. The base is measured once more for each contender because it is the fast one mostly.
"""

from case import Case

# Of each contender in each turn; at least one call.
SECONDS = 0.06
MOST_CALLS = 40
# What takes longer than this has so many turns only.
FEWER_TURNS = {0.25: 4, 1.0: 2, 3.0: 1}


def bench_contender(benchmark, case: Case, contender: str, beside: str, turn: int) -> None:
    ready = case.ready(contender)
    slower = max(ready.seconds, case.seconds_of(beside))
    if turn >= min([case.turns, *(turns for seconds, turns in FEWER_TURNS.items() if slower > seconds)]):
        return
    rounds = max(1, min(MOST_CALLS, int(SECONDS / ready.seconds)))
    benchmark.pedantic(ready.call.run, rounds=rounds, warmup_rounds=int(ready.seconds < SECONDS), iterations=case.calls)
    case.record(contender, beside, benchmark)
