import csv
import json

import pytest

from stnkit.experiments.report.differences import differences
from stnkit.experiments.report.formats import as_csv, as_json
from stnkit.experiments.report.table import make_table
from tests.helpers import RECORDED_COMPONENTS

FCN = {"name": "paper_fcn", "hidden": [8]}


def test_rows_that_differ_in_an_option_too_are_warned_of(make_run, runs_of):
    make_run(training={"epochs": 2})
    make_run(transform=RECORDED_COMPONENTS["tps"], training={"epochs": 10})
    make_run(transform={"name": "similarity"}, training={"epochs": 10})
    table = make_table(runs_of())
    assert table.axes.rows == ("transform",)
    assert differences(table) == ["rows differ in training.epochs too: 2 in affine; 10 in tps, similarity"]


def test_columns_that_differ_in_an_option_too_are_warned_of(make_run, runs_of):
    for transform in ("affine", "similarity"):
        make_run(transform={"name": transform}, training={"epochs": 2})
        make_run(transform={"name": transform}, training={"epochs": 4}, distortion=RECORDED_COMPONENTS["rts"])
    assert differences(make_table(runs_of())) == ["columns differ in training.epochs too: 2 in rotation; 4 in rts"]


def test_cells_that_differ_in_an_option_too_are_warned_of(make_run, runs_of):
    for transform, distortion, epochs in (("affine", "a", 2), ("affine", "b", 4), ("tps", "a", 4), ("tps", "b", 2)):
        make_run(transform={"name": transform}, distortion={"name": distortion}, training={"epochs": epochs})
    (warning,) = differences(make_table(runs_of(), rows=["transform"], columns=["distortion"]))
    assert warning == "cells differ in training.epochs too: 2 in affine, a, tps, b; 4 in affine, b, tps, a"


def test_a_mean_over_several_options_is_warned_of(make_run, runs_of):
    make_run(record={"test_error": 1.0})
    make_run(distortion=RECORDED_COMPONENTS["rts"], record={"test_error": 2.0})
    table = make_table(runs_of(), rows=["transform"], columns=[])
    assert [[cell.text("test_error") for cell in line] for line in table.cells] == [["1.50 ± 0.71 (2)"]]
    assert differences(table) == [
        "the runs of a cell differ in distortion, and its mean includes all of them: rotation and rts in affine"
    ]


def test_a_network_without_transformers_needs_no_warning(make_run, runs_of):
    # It has the transform "none" because its placement is empty, and no localizer.
    make_run()
    make_run(placement={"at": []})
    for rows in (None, ["transform"], ["placement"]):
        assert differences(make_table(runs_of(), rows=rows)) == []


def test_a_localizer_that_follows_the_network_is_named(make_run, runs_of):
    make_run()
    make_run(network=FCN, localizer={"name": "fully_connected"})
    make_run(placement={"at": []})
    make_run(placement={"at": []}, network=FCN)
    (warning,) = differences(make_table(runs_of(), rows=["network"], columns=["placement"]))
    assert warning == "rows differ in localizer too: convolutional in paper_cnn; fully_connected in paper_fcn"


def test_a_seed_that_ran_twice_is_warned_of(make_run, runs_of):
    for _ in range(2):
        make_run(record={"test_error": 1.0})
    make_run(transform={"name": "tps"}, record={"test_error": 1.0})
    assert differences(make_table(runs_of())) == ["seed 0 ran more than once in affine, and the mean counts every run"]


def test_other_versions_are_warned_of(make_run, runs_of):
    for seed, torch in enumerate(("2.13.0", "2.13.0", "2.15.0")):
        make_run(seed=seed, record={"test_error": 1.0, "versions": {"stnkit": "0.2.0", "torch": torch}})
    make_run(seed=3)
    assert differences(make_table(runs_of())) == [
        "the runs differ in the version of stnkit: 0.2.0 (3 runs), not recorded (1 run)",
        "the runs differ in the version of torch: 2.13.0 (2 runs), 2.15.0 (1 run), not recorded (1 run)",
    ]


def test_times_of_other_devices_are_warned_of(make_run, runs_of):
    for seed, accelerator in enumerate(("cpu", "gpu")):
        make_run(seed=seed, training={"accelerator": accelerator}, record={"test_error": 1.0, "seconds": 3.0})
    assert differences(make_table(runs_of())) == []
    (warning,) = differences(make_table(runs_of(), metrics=["seconds"]))
    assert warning == "times are of runs that differ in training.accelerator: cpu (1 run), gpu (1 run)"


def test_machines_read_the_differences_too(make_run, runs_of):
    make_run(training={"epochs": 2})
    make_run(transform={"name": "tps"}, training={"epochs": 10})
    table = make_table(runs_of())
    assert [row["training.epochs"] for row in csv.DictReader(as_csv(table).splitlines())] == ["2", "10"]
    assert json.loads(as_json(table, []))["warnings"] == differences(table)


@pytest.mark.parametrize(("format_", "first_row"), [("terminal", "\n affine"), ("markdown", "\n| affine")])
def test_a_warning_stands_between_caption_and_table(format_, first_row, make_run, stnkit_main):
    make_run(training={"epochs": 2})
    make_run(transform={"name": "tps"}, training={"epochs": 10})
    code, out, _ = stnkit_main("report", make_run.root, "--format", format_)
    assert code == 0
    assert (
        out.index("test_error, %: ") < out.index("training.epochs too: 2 in affine; 10 in tps") < out.index(first_row)
    )


def test_the_version_of_a_plugin_is_that_of_runs_with_it(make_run, runs_of):
    of_plugin = {"plugins": {"transform.shift": "theirs"}}
    for seed, theirs in enumerate(["1.0", "1.0"]):
        make_run(seed=seed, record={"test_error": 1.0, "versions": {"theirs": theirs}, **of_plugin})
    make_run(seed=2, record={"test_error": 1.0, "versions": {}, "plugins": {}})
    assert differences(make_table(runs_of())) == []
    make_run(seed=3, record={"test_error": 1.0, "versions": {"theirs": "1.1"}, **of_plugin})
    assert differences(make_table(runs_of())) == ["the runs differ in the version of theirs: 1.0 (2 runs), 1.1 (1 run)"]
