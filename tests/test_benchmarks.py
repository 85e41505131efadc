"""The benchmarks' page says what a run measured, and the suite runs without any of the peers."""

import json
import os
import runpy
import subprocess
import sys

import pytest

from tests.helpers import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def contender(turns, base_turns=(), images=100, **facts):
    known = {"peak": 3 * 2**20, "difference": None, "differs": None, "least": None, "most": None}
    return known | {"turns": turns, "base_turns": list(base_turns), "images": images} | facts


def case(contenders, **facts):
    known = {"work": "warp", "case": "small", "device": "cpu", "base": "ours", "axis": None, "images": 100}
    known |= {"slack_ms": 0.0, "bytes_moved": None, "copy_bandwidth": None, "missing": {}, "note": "", "group": ""}
    return known | {"contenders": contenders} | facts


def run(*cases):
    machine = {"cpu": {"brand_raw": "A CPU"}, "cores": 2, "threads": 2, "memory_gib": 24, "gpu": None}
    machine["versions"] = {"stnkit": "1.0"}
    return {"datetime": "2026-01-02T03:04:05", "minutes": 1.5, "machine_info": machine, "cases": list(cases)}


def only(one, name="theirs"):
    from contenders import contenders_of

    return next(c for c in contenders_of(one) if c.name == name)


# The machine was twice as slow in the second turn, and the base had one turn more.
DRIFTING = {
    "ours": contender([[0.001], [0.002], [0.009]]),
    "theirs": contender([[0.003], [0.006]], [[0.001], [0.002]], least=2.5),
}


def test_a_ratio_is_that_of_neighbors_and_not_of_medians_of_all():
    theirs = only(case(DRIFTING))
    assert theirs.ratio == theirs.lowest == theirs.highest == pytest.approx(3)
    assert theirs.holds


def test_a_contender_of_fewer_images_is_scaled_to_all_images():
    fewer = DRIFTING | {"theirs": contender([[0.003], [0.003]], [[0.001], [0.001]], images=10)}
    theirs = only(case(fewer))
    assert theirs.ratio == pytest.approx(30)
    assert theirs.seconds == pytest.approx(0.03)
    assert "from 10 of 100 images" in theirs.cell()


@pytest.mark.parametrize(
    ("bounds", "slack_ms", "holds"),
    [
        ({"least": 3.1}, 0.0, False),
        ({"least": 2.9}, 0.0, True),
        ({"most": 2.9}, 0.0, False),
        ({"most": 3.1}, 0.0, True),
        ({"most": 1.05}, 1.0, False),  # 3 ms are allowed: 2 and 1
        ({"most": 1.05}, 4.1, True),
    ],
)
def test_a_target_holds_or_does_not(bounds, slack_ms, holds):
    measured = {"ours": DRIFTING["ours"], "theirs": contender([[0.006]], [[0.002]], **bounds)}
    theirs = only(case(measured, slack_ms=slack_ms))
    assert theirs.holds is holds
    assert ("✓" if holds else "✗") in theirs.cell()


@pytest.mark.parametrize(("allowed", "holds", "is_open"), [(11, False, True), (9, False, False), (25, True, False)])
def test_a_call_of_microseconds_is_a_target_of_the_base_too(allowed, holds, is_open):
    ours = only(case({"ours": contender([[1e-5], [2e-5], [2e-5]], microseconds=allowed)}), "ours")
    assert (ours.holds, ours.is_open, ours.wanted) == (holds, is_open, f"≤ {allowed} µs")
    assert ours.cell() == f"20 µs {'✓' if holds else '✗'}, 3.0 MiB"


@pytest.mark.parametrize(("least", "is_open"), [(2.0, False), (3.5, True), (5.0, False)])
def test_a_target_is_open_where_turns_are_on_both_sides_of_it(least, is_open):
    turns = {"ours": contender([[0.001], [0.001]]), "theirs": contender([[0.003], [0.004]], [[0.001]] * 2, least=least)}
    assert only(case(turns)).is_open is is_open


def test_a_later_part_replaces_its_tables_and_is_named():
    from results import joined, page

    whole = run(case(DRIFTING, work="warp"), case(DRIFTING, work="grid"))
    later = run(case(DRIFTING, work="warp", case="large")) | {"datetime": "2026-02-03T04:05:06", "commit_info": {}}
    both = joined(whole, later)
    assert [(c["work"], c["case"]) for c in both["cases"]] == [("grid", "small"), ("warp", "large")]
    assert "- 2026-02-03: warp\n" in page(both, [])
    again = joined(both, later | {"datetime": "2026-03-04T05:06:07"})
    assert [part["datetime"][:10] for part in again["parts"]] == ["2026-03-04"]


def test_the_page_names_missing_peers_differences_and_causes():
    from results import page

    measured = DRIFTING | {
        "theirs": contender(
            [[0.001]],
            [[0.001]],
            least=2.0,
            difference=0.25,
            differs="another kernel",
            profile=[{"operator": "aten::mm", "share": 0.7, "calls": 1}],
        )
    }
    text = page(
        run(case(measured, missing={"kornia": "not installed (kornia)"})),
        [
            {"work": "other*", "contender": "*", "why": "No."},
            {"work": "w*", "contender": "theirs", "why": "It is the product."},
        ],
    )
    assert "0 of 1 hold by the median over turns (✓ in the tables below); in 0, single" in text
    assert "| kornia | not installed (kornia) |" in text
    assert "| 2e-01 |" in text
    assert "theirs computes something else: another kernel." in text
    assert "Profile: mm 70%" in text
    assert "It is the product." in text
    assert "No." not in text
    assert "2026-01-02, A CPU, 2 cores, 2 threads, 24 GiB; GPU: none" in text


def test_works_of_one_group_share_a_table_without_their_bases():
    from results import page

    members = [
        case(
            {"alone": contender([[0.001]]), name: contender([[0.001 * n]], [[0.001]])},
            base="alone",
            work=name,
            group="All",
        )
        for n, name in ((2, "first"), (3, "second"))
    ]
    text = page(run(*members), [])
    assert text.count("## All") == 1
    assert "| first | **2.00×**" in text
    assert "| second | **3.00×**" in text
    assert "| alone |" not in text


def test_a_target_that_holds_is_not_listed_as_missed():
    from results import page

    assert "short of its target" not in page(run(case(DRIFTING)), [])


def test_a_gpu_cell_shows_throughput_and_the_share_of_a_copy():
    on_gpu = case(DRIFTING, device="cuda", bytes_moved=10**6, copy_bandwidth=10**9)
    cell = only(on_gpu, "ours").cell()
    assert "50,000 images/s" in cell  # 100 in 2 ms
    assert "50% of a copy" in cell


@pytest.mark.slow
def test_slopes_are_the_exponents_of_what_grows(tmp_path):
    from results import page

    from growth_figure import draw, slope

    assert slope([1, 10, 100], [7, 70, 700]) == pytest.approx(1)
    assert slope([1, 10, 100], [7, 7, 7]) == pytest.approx(0)
    growing = [
        case(
            {"ours": contender([[1e-6 * n]], peak=64 * n**2)},
            work="growth with pixels, affine",
            case=str(n),
            axis="pixels",
        )
        for n in (10, 100, 1000)
    ]
    assert "| growth with pixels, affine | ours | 10 | 1000 | 1.00 | 2.00 |" in page(run(*growing), [])
    draw(run(*growing), tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_the_committed_page_is_that_of_the_committed_run():
    import tomllib

    from results import page

    committed = json.loads((BENCHMARKS / "results.json").read_text())
    causes = tomllib.loads((BENCHMARKS / "causes.toml").read_text())["cause"]
    assert (BENCHMARKS / "RESULTS.md").read_text() == page(committed, causes)


@pytest.mark.slow
@pytest.mark.no_jaxtyping
@pytest.mark.process
def test_a_part_of_the_suite_runs_where_peers_are_not_installed(tmp_path, monkeypatch, capsys):
    # Without the other plugins of this environment, whose workers and options would be put into that run, and without
    # the name of the worker that runs this: pytest-benchmark measures nothing where it finds one.
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", "-p", "pytest_benchmark.plugin", "--turns=1"]
    command += ["-k", "affine and warp and backward and 16x64 and not (piecewise or GPU)"]
    command += [f"--benchmark-json={tmp_path}/run.json"]
    result = subprocess.run(command, cwd=BENCHMARKS, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "100%" in result.stdout
    measured = json.loads((tmp_path / "run.json").read_text())
    (affine,) = measured["cases"]
    assert {"stnkit", "torch"} <= affine["contenders"].keys()
    everyone = {"stnkit", "torch", "kornia", "MONAI", "sampling alone"}
    assert affine["contenders"].keys() | affine["missing"].keys() == everyone
    assert affine["contenders"]["torch"]["difference"] < 1e-3
    assert affine["contenders"]["stnkit"]["peak"] > 16 * 64 * 56 * 56 * 4
    monkeypatch.setattr(sys, "argv", ["results.py", f"{tmp_path}/run.json"])
    runpy.run_path(str(BENCHMARKS / "results.py"), run_name="__main__")
    assert "## Affine warp, forward and backward" in capsys.readouterr().out


# A step of `stnkit train`, and the tutorial's network with the same weights.
STEPPING = """
import torch
from peers import tutorial_parts
from works.training import TUTORIAL, _seeded, _task, by_stnkit, seen
task = _task(TUTORIAL["the tutorial's network, batch 256"], "cpu")
ours = by_stnkit(task)
theirs = seen(_seeded(task.network))
print((ours.outputs(None) - theirs).abs().max().item() < 1e-5, torch.isfinite(ours.run()).item())
ours.close()
"""


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.training
def test_the_tutorials_network_and_ours_start_alike():
    pytest.importorskip("greenlet")
    command = [sys.executable, "-c", STEPPING]
    result = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout == "True True\n", result.stderr
