import pytest

from stnkit.experiments.report.notes import caption, notes
from stnkit.experiments.report.runs import find_jobs_not_begun
from stnkit.experiments.report.shared import facts, shared_config, summary
from stnkit.experiments.report.table import make_table
from stnkit.experiments.run_directory.job_list import list_jobs, record_run_dir
from tests.helpers import RECORDED_COMPONENTS

VERSIONS = {"stnkit": "0.2.0", "torch": "2.13.0", "python": "3.12.1"}


def test_what_all_runs_share_is_named_with_its_options(make_run, runs_of):
    for seed, minute in ((0, 58), (1, 59)):
        record = {"versions": VERSIONS, "began": f"2026-11-28T23:{minute}:30+00:00", "test_error": 1.0}
        make_run(seed=seed, record=record)
        record["began"] = "2026-11-29T00:10:00+00:00"
        make_run(seed=seed, transform=RECORDED_COMPONENTS["tps"], record=record)
    table = make_table(runs_of())
    assert dict(facts(table)) == {
        "dataset": "mnist (root=data/mnist)",
        "distortion": "rotation (degrees=90.0)",
        "network": "paper_cnn",
        "placement": "input",
        "localizer": "convolutional (features=20)",
        "sampler": "bilinear (padding=zeros)",
        "epochs": "2",
        "training": "learning_rate=0.003, keep=last",
        "seeds": "0, 1",
        "versions": "stnkit 0.2.0, torch 2.13.0, python 3.12.1",
        "begun": "2026-11-28 23:58 to 2026-11-29 00:10 UTC",
        "runs": "4 completed",
    }
    assert caption(table) == "test_error, %: mean ± standard deviation over 2 seeds (number of completed runs)"


def test_what_varies_is_not_shared(make_run, runs_of):
    make_run(training={"epochs": 2})
    make_run(training={"epochs": 3}, distortion=RECORDED_COMPONENTS["rts"], placement={"at": []})
    table = make_table(runs_of())
    assert not {"distortion", "epochs", "placement"} & dict(facts(table)).keys()
    # Half of the runs have such a distortion.
    assert "distortion.degrees" not in shared_config(table)


def test_an_option_that_some_runs_lack_is_not_shared(make_run, runs_of):
    # A plugin has renamed it.
    make_run(distortion={"name": "shift", "strength": 0.1, "axis": 0})
    make_run(distortion={"name": "shift", "power": 0.1, "axis": 0})
    assert dict(facts(make_table(runs_of())))["distortion"] == "shift (axis=0)"


def test_runs_with_a_transformer_share_its_components(make_run, runs_of):
    make_run()
    make_run(placement={"at": []})
    make_run(placement={"at": []}, transform=RECORDED_COMPONENTS["tps"], localizer={"name": "fully_connected"})
    found = dict(facts(make_table(runs_of())))
    assert found["transform"] == "affine (ndim=2), where there is a transformer"
    assert found["localizer"] == "convolutional (features=20), where there is a transformer"
    assert found["sampler"] == "bilinear (padding=zeros), where there is a transformer"
    assert found["dataset"] == "mnist (root=data/mnist)"
    make_run(transform=RECORDED_COMPONENTS["tps"])
    assert "transform" not in dict(facts(make_table(runs_of())))


def test_runs_without_any_transformer_share_its_absence(make_run, runs_of):
    make_run(placement={"at": []})
    make_run(placement={"at": []}, transform=RECORDED_COMPONENTS["tps"])
    found = dict(facts(make_table(runs_of())))
    assert found["transform"] == "none"
    assert not {"localizer", "sampler"} & found.keys()


def test_records_without_versions_have_no_such_fact(make_run, runs_of):
    make_run()
    assert not {"versions", "begun"} & dict(facts(make_table(runs_of()))).keys()


def test_many_seeds_are_abridged(make_run, runs_of):
    for seed in range(11):
        make_run(seed=seed, record={"test_error": 1.0})
    assert dict(facts(make_table(runs_of())))["seeds"] == "0, 1, 2, 3, 4, 5, 6, 7 and 3 more"


def test_jobs_that_have_not_begun_are_counted(make_run, runs_of):
    make_run("0", record={"test_error": 1.0})
    make_run("1", status="failed", record={"error": "OSError: disk full"})
    jobs = [[f"transform={name}", f"seed={seed}", "training.epochs=2"] for name in ("affine", "tps") for seed in (0, 1)]
    list_jobs(make_run.root, jobs)
    for number in (0, 1):
        record_run_dir(make_run.root, jobs[number], make_run.root / str(number))
    not_begun = find_jobs_not_begun([make_run.root, make_run.root / "0"])
    table = make_table(runs_of(), not_begun=not_begun)
    assert summary(table) == "4 runs: 1 completed, 1 failed, 2 not begun"
    assert f"not begun: 2 of {make_run.root}: transform=tps seed=0; transform=tps seed=1" in notes(table)
    assert dict(facts(table))["runs"] == "1 completed, 1 failed, 2 not begun"


def test_a_reason_why_a_value_is_undefined_is_a_footnote(make_run, runs_of):
    still, nothing = "the distortion moves no point of any image", "the network has no transformer at its input"
    figures = ["rotation_residual", "corner_error_raw", "pose.rotation_mean.0"]
    undefined = {"undefined": dict.fromkeys(figures[:2], still)}
    make_run(distortion={"name": "none"}, record=undefined)
    make_run(placement={"at": []}, record={"undefined": dict.fromkeys(figures[:2], nothing)})
    make_run(record={"rotation_residual": 1.0, "corner_error_raw": 2.0})
    table = make_table(runs_of(), metrics=figures[:2])
    found = [note for note in notes(table) if note.startswith("[")]
    # In the order of the cells: the row of transformers, that of none.
    assert found == [
        f"[1] not defined: rotation_residual, corner_error_raw: {still}",
        f"[2] not defined: rotation_residual, corner_error_raw: {nothing}",
    ]


@pytest.mark.parametrize("metric", ["rotation_residual", "test_theta_distance", "history.-1.validation_outside"])
def test_earlier_runs_without_a_transformer_say_so(metric, make_run, runs_of):
    make_run(placement={"at": []}, record={"rotation_residual_identity": 52.0})
    (run,) = runs_of()
    assert run.undefined(metric) == "the network has no transformer"
    assert run.undefined("seconds") == ""


def test_without_a_completed_run_the_caption_says_so(make_run, runs_of):
    make_run(status="failed", record={"error": "OSError: disk full"})
    make_run(seed=1, status="interrupted")
    table = make_table(runs_of())
    assert caption(table) == "test_error, %: no run is completed"
    assert caption(make_table([])) == "test_error, %: no run is completed"
    assert notes(table)[0] == "marks: — no run, n/a no such value, (2/3): 2 of 3 seeds completed"
    assert notes(make_table([])) == []


@pytest.mark.parametrize("odd", [{"versions": {"torch": {"cuda": [1]}}}, {"run_control": 5}, {"run_control": [1, []]}])
def test_a_record_of_another_form_is_reported(odd, make_run, runs_of):
    make_run(record={"test_error": 1.0, **odd})
    assert dict(facts(make_table(runs_of())))["runs"] == "1 completed"


def test_a_config_of_another_form_is_reported(make_run, runs_of):
    make_run(placement="none", record={"undefined": "nonsense", "versions": 3, "began": [1], "history": 5})
    table = make_table(runs_of(), metrics=["test_error"])
    assert runs_of()[0].undefined("rotation_residual") == ""
    assert dict(facts(table))["placement"] == "none"


def test_another_objective_is_named_with_its_options(make_run, runs_of):
    pair = {"at": ["input"], "pair": True}
    options = {"similarity": "ncc", "window": None}
    figures = {"point_error": 1.5, "folded": 0.0}
    make_run.of_objective("registration", figures, objective=options, placement=pair)
    found = dict(facts(make_table(runs_of())))
    assert next(iter(found)) == "objective"
    assert found["objective"] == "registration (similarity=ncc)"
    assert found["placement"] == "input (pair=true)"


def test_the_objective_of_earlier_versions_goes_without_saying(make_run, runs_of):
    default = {"name": "classification", "label_smoothing": 0.0, "class_weights": None}
    make_run()
    make_run(seed=1, objective=default, placement={"at": ["input"], "pair": False})
    table = make_table(runs_of())
    assert (table.axes.rows, table.axes.columns) == ((), ())
    assert "objective" not in dict(facts(table))
    assert dict(facts(table))["placement"] == "input"


def test_options_of_classification_are_told(make_run, runs_of):
    make_run(objective={"name": "classification", "label_smoothing": 0.1, "class_weights": None})
    assert dict(facts(make_table(runs_of())))["objective"] == "classification (label_smoothing=0.1)"
