import json
import os

import pytest

import stnkit
from stnkit.experiments.report.runs import Status, find_runs, metrics_of


def test_runs_are_found_at_any_depth_once_and_in_natural_order(make_run):
    for name in ("sweep/10", "sweep/2", "other/deep/down/0"):
        make_run(name)
    root = make_run.root
    found = find_runs([root, root / "sweep", root / "sweep" / "2", root / "sweep" / "2" / "metrics.json"])
    assert [str(run.path.relative_to(root)) for run in found] == ["other/deep/down/0", "sweep/2", "sweep/10"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"status": "comp', "metrics.json cannot be read: Unterminated string"),
        ("", "metrics.json cannot be read: Expecting value"),
        ("[1, 2]", "is not a JSON object"),
        ('{"status": "completed"}', "has no config"),
        ('{"status": "completed", "config": 3}', "has no config"),
        ('{"status": "flying", "config": {}}', "expected a status, got 'flying'"),
        ('{"config": {}}', "expected a status, got None"),
        ("[" * 100_000, "cannot be read"),
        (
            '{"status": "completed", "config": {}, "figures": {"error": 3}}',
            "metrics.json: figures.error: expected a mapping, got 3",
        ),
        ('{"status": "completed", "config": {}, "figures": 3}', "figures: expected a mapping, got 3"),
        (
            '{"status": "completed", "config": {}, "history": [{}, {"train_loss": Infinity}]}',
            "history.1.train_loss: expected a finite number",
        ),
        ('{"status": "completed", "config": {}, "test_error": NaN}', "test_error: expected a finite number"),
        ('{"status": "completed", "config": {}, "test_error": 1e999}', "test_error: expected a finite number"),
        (f'{{"status": "completed", "config": {{}}, "step": 1{"0" * 400}}}', "step: expected a finite number"),
    ],
)
def test_a_broken_record_is_a_run_with_a_reason(text, reason, make_run):
    (make_run() / "metrics.json").write_text(text)
    (run,) = find_runs([make_run.root])
    assert run.status is Status.broken
    assert reason in run.reason


def test_bytes_that_are_not_text_are_a_broken_record(make_run):
    (make_run() / "metrics.json").write_bytes(b"\xff\xfe\x00")
    assert find_runs([make_run.root])[0].status is Status.broken


def test_an_unfinished_run_says_why_and_how_far_it_came(make_run):
    make_run("a", status="failed", record={"error": "InputError: no"})
    make_run("b", status="interrupted", record={"epoch": 1})
    os.utime(make_run("c", status="running") / "metrics.json", (0, 0))
    failed, interrupted, running = find_runs([make_run.root])
    assert failed.reason == "InputError: no"
    assert interrupted.reason == "stopped after 1 of 2 epochs"
    assert running.reason.startswith("0 of 2 epochs, last update 19")


def test_values_are_numbers_of_completed_runs_by_dotted_names(make_run):
    record = {
        "test_error": 1.5,
        "n_parameters": 7,
        "picture": "x.png",
        "flag": True,
        "nothing": None,
        "pose": {"rotation": [1.0, 2.0]},
        "history": [{"train_loss": 3.0}, {"train_loss": 4.0}],
    }
    make_run("a", record=record)
    make_run("b", status="interrupted", record=record)
    run, stopped = find_runs([make_run.root])
    assert run.value("test_error") == 1.5
    assert run.value("n_parameters") == 7
    assert run.value("pose.rotation.1") == 2.0
    assert run.value("history.-1.train_loss") == 4.0
    for metric in ("picture", "flag", "nothing", "missing", "pose", "pose.rotation.2", "pose.rotation.x", "seed.x"):
        assert run.value(metric) is None
    assert stopped.value("test_error") is None
    assert metrics_of([run, stopped]) == ["n_parameters", "seed", "test_error"]


@pytest.mark.no_jaxtyping
def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(
        stnkit.errors.InputError, match=r"no run in .*: found no metrics\.json there or in any folder below"
    ):
        find_runs([tmp_path])
    with pytest.raises(stnkit.errors.InputError, match="nowhere does not exist"):
        find_runs([tmp_path / "nowhere"])


def test_progress_sees_every_run_that_is_read(make_run):
    for _ in range(5):
        make_run()
    seen = []

    def progress(paths):
        for path in paths:
            seen.append(path)
            yield path

    assert [run.path for run in find_runs([make_run.root], progress)] == seen
    assert len(seen) == 5


def test_the_seed_may_be_in_the_config_alone(make_run):
    path = make_run(seed=3) / "metrics.json"
    record = json.loads(path.read_text())
    del record["seed"]
    path.write_text(json.dumps(record))
    assert find_runs([make_run.root])[0].seed == 3


def test_perfect_zeros_of_earlier_versions_are_undefined(make_run):
    figures = {"rotation_residual": 0.0049, "rotation_residual_identity": 0.0, "rectified_variance_identity": 0.0}
    make_run("a", record={"test_error": 1.0, "pose": {"rotation_residual": [0.0]}, **figures})
    make_run("b", record=figures | {"rotation_residual_identity": 52.0})
    undistorted, distorted = find_runs([make_run.root])
    assert undistorted.value("test_error") == 1.0
    for name in (*figures, "pose.rotation_residual.0"):
        assert undistorted.value(name) is None
        assert undistorted.undefined(name) == "the distortion moves no point of any image"
    assert distorted.value("rotation_residual") == 0.0049
    assert distorted.value("rectified_variance_identity") == 0.0


@pytest.mark.parametrize(
    "metric",
    [
        "theta_distance",
        "outside",
        "train_outside",
        "validation_theta_distance",
        "history.-1.theta_distance",
        "history.-1.train_outside",
        "history.rotation_residual",
        "rotation_residual.x",
        "x.rotation_residual",
        "pose.pose.rotation_residual",
    ],
)
def test_a_name_of_no_figure_is_not_undefined(metric, make_run):
    make_run("a", placement={"at": []}, record={"rotation_residual_identity": 52.0})
    make_run("b", record={"undefined": {"rotation_residual": "no"}})
    for run in find_runs([make_run.root]):
        assert run.undefined(metric) == ""


def test_the_share_outside_is_in_percent(make_run):
    make_run(record={"test_outside": 0.25, "history": [{"validation_outside": 0.5}]})
    (run,) = find_runs([make_run.root])
    assert (run.value("test_outside"), run.value("history.0.validation_outside")) == (25.0, 50.0)
