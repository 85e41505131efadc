"""Where the time goes in what falls short of its target."""

from typing import Any

from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from case import Case

CALLS = 20
ROWS = 8


def profile_what_is_short(case: Case) -> None:
    """Profile whatever of stnkit misses a target of this case, and keep its operators with the case's facts."""
    for contender in case.seconds:
        allowed = case.work.microseconds.get(contender)
        if allowed and 1e6 * case.median(contender) > allowed:
            case.facts[contender]["profile"] = _operators(case, contender)
        if contender == case.work.base:
            continue
        reached = case.ratio(contender)
        least = case.work.bound(case.work.least, contender, case.name)
        most = case.work.bound(case.work.most, contender, case.name)
        # What has to be fast is the base where others are to be slower, else the contender itself.
        if least is not None and reached < least:
            case.facts[contender]["profile"] = _operators(case, case.work.base)
        elif most is not None and reached > most:
            case.facts[contender]["profile"] = _operators(case, contender)


def _operators(case: Case, contender: str) -> list[dict[str, Any]]:
    run = case.ready(contender).call.run
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if case.device == "cuda" else [])
    with profile(activities=activities) as profiled:
        for _ in range(CALLS):
            run()
    gpu = case.device == "cuda"
    # A kernel is listed by itself, and with the operator that started it.
    events = [e for e in profiled.key_averages() if e.device_type == DeviceType.CPU]
    own = {event.key: event.self_device_time_total if gpu else event.self_cpu_time_total for event in events}
    total = sum(own.values())
    largest = sorted(events, key=lambda event: own[event.key], reverse=True)[:ROWS]
    return [{"operator": e.key, "share": round(own[e.key] / total, 3), "calls": e.count / CALLS} for e in largest]
