"""Puts the works in turn, shows how far it is, and adds what pytest-benchmark does not know to its JSON."""

import importlib.metadata
import os
import platform
import time
from typing import Any

import pytest
import torch

import clocks
import profiles
from case import Case
from work import UnavailableError
from works import WORKS

TURNS = 6
PEERS = [
    "stnkit",
    "torch",
    "kornia",
    "monai",
    "scipy",
    "scikit-image",
    "torch-interpol",
    "libcpab",
    "pillow",
    "opencv-python-headless",
]
CASES = pytest.StashKey[list[Case]]()
BEGAN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--turns", type=int, default=TURNS, help=f"turns of each contender, {TURNS} unless said")


def pytest_configure(config: pytest.Config) -> None:
    # As in a process that trains: glibc keeps what was freed only once something large has been, and hands it back to
    # the system before, at the cost of as many page faults as there are pages at the next call.
    torch.empty(31 * 2**18).fill_(0)
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices.append("cuda")
        # The workspace of products is nobody's memory.
        some = torch.ones(1, 8, 8, device="cuda")
        torch.bmm(some, some[0] @ some)
    turns = config.getoption("turns")
    config.stash[CASES] = [
        Case(work, name, device, turns)
        for work in WORKS
        for name in work.cases
        for device in devices
        if device in work.devices
    ]
    config.stash[BEGAN] = time.perf_counter()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rounds = [
        pytest.param(
            case,
            contender,
            beside,
            turn,
            id=f"{case.title} | {contender} | beside {beside} | {turn}".replace("×", "x").replace("·", "|"),
            marks=pytest.mark.benchmark(group=case.title, timer=clocks.CLOCKS[case.device]),
        )
        for case in metafunc.config.stash[CASES]
        for turn in range(case.turns)
        for rival in case.rivals
        for contender, beside in ((case.work.base, rival), (rival, case.work.base))
    ]
    metafunc.parametrize(("case", "contender", "beside", "turn"), rounds)


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.items:
        raise pytest.UsageError(
            f"no case is chosen by {session.config.getoption('keyword')!r}: it takes words of the headings and columns "
            "of benchmarks/RESULTS.md, × written as x, joined by and, or, not"
        )


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    try:
        return (yield)
    except UnavailableError as missing:
        pytest.skip(str(missing))


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """A line for each case instead of a letter for each turn."""
    return (report.outcome, "", "") if report.outcome in ("passed", "skipped") else None


def pytest_runtest_teardown(item: pytest.Function, nextitem: pytest.Function | None) -> None:
    case = item.callspec.params["case"]
    if nextitem is not None and nextitem.callspec.params["case"] is case:
        return
    profiles.profile_what_is_short(case)
    case.close()
    session = item.session
    share = (session.items.index(item) + 1) / len(session.items)
    minutes = (time.perf_counter() - item.config.stash[BEGAN]) / 60
    reporter = item.config.pluginmanager.getplugin("terminalreporter")
    with item.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        reporter.write_line(f"{share:4.0%} {minutes:5.1f} min  {case.title}: {_summary(case)}")


def _summary(case: Case) -> str:
    if not case.seconds:
        return "not measured"
    base = f"{case.work.base} {1e3 * case.median(case.work.base):.2f} ms"
    others = [f"{name} {case.ratio(name):.2f}×" for name in case.seconds if name != case.work.base]
    missing = [f"{name}: {why}" for name, why in case.missing.items()]
    return ", ".join([base, *others, *missing])


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    machine_info["threads"] = torch.get_num_threads()
    machine_info["cores"] = os.cpu_count()
    machine_info["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    machine_info["versions"] = {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in PEERS if _is_installed(name)
    }
    machine_info["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    machine_info.pop("node", None)


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def pytest_benchmark_update_json(config: pytest.Config, benchmarks: Any, output_json: dict[str, Any]) -> None:
    """The cases in place of a record for each turn: what all turns took, and what else is known of each contender."""
    copy_bandwidth = clocks.copy_bandwidth() if torch.cuda.is_available() else None
    output_json["cases"] = [
        {
            "work": case.work.name,
            "case": case.name,
            "device": case.device,
            "base": case.work.base,
            "axis": case.work.axis,
            "note": case.work.note,
            "group": case.work.group,
            "slack_ms": case.work.slack_ms,
            "threads": case.work.threads,
            "copy_bandwidth": copy_bandwidth if case.device == "cuda" else None,
            "bytes_moved": case.work.bytes_moved and case.work.bytes_moved(case.work.cases[case.name]),
            "images": case.work.images(case.work.cases[case.name]),
            "contenders": {
                name: case.facts[name]
                | {
                    "turns": [[round(s, 7) for s in turn] for turn in turns],
                    "base_turns": [[round(s, 7) for s in turn] for turn in case.beside.get(name, [])],
                    "least": case.work.bound(case.work.least, name, case.name),
                    "most": case.work.bound(case.work.most, name, case.name),
                    "microseconds": case.work.microseconds.get(name),
                    "differs": case.work.differs.get(name),
                }
                for name, turns in case.seconds.items()
            },
            "missing": case.missing,
        }
        for case in config.stash[CASES]
        if case.seconds
    ]
    output_json["minutes"] = round((time.perf_counter() - config.stash[BEGAN]) / 60, 1)
    output_json["benchmarks"] = []
    output_json["commit_info"] = {key: output_json["commit_info"].get(key) for key in ("id", "dirty")}
