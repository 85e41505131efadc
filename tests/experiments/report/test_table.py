import statistics

import pytest

import stnkit
from stnkit.experiments.report.axes import Axes
from stnkit.experiments.report.notes import notes
from stnkit.experiments.report.statistic import Statistic, number
from stnkit.experiments.report.table import make_table
from stnkit.experiments.run_directory.lock import run_lock
from tests.helpers import RECORDED_COMPONENTS


def texts(table, metric="test_error"):
    return [[cell.text(metric) for cell in line] for line in table.cells]


def test_a_cell_is_mean_and_sample_standard_deviation_over_seeds(make_run, runs_of):
    errors = [1.0, 1.5, 2.6]
    for seed, error in enumerate(errors):
        make_run(seed=seed, record={"test_error": error})
    table = make_table(runs_of())
    statistic = table.cells[0][0].statistic("test_error")
    assert statistic.mean == pytest.approx(statistics.fmean(errors))
    assert statistic.std == pytest.approx(statistics.stdev(errors))
    assert texts(table) == [["1.70 ± 0.82 (3)"]]
    assert table.row_title(0) == "all runs"


def test_components_with_an_option_at_have_cells_of_their_own(make_run, runs_of):
    for name, error in (("shift_at", 1.0), ("tilt_at", 2.0)):
        make_run(distortion={"name": name, "at": 0.1}, record={"test_error": error})
    table = make_table(runs_of())
    assert [table.row_title(i) for i in range(2)] == ["shift_at", "tilt_at"]
    assert texts(table) == [["1.00 (1)"], ["2.00 (1)"]]


def test_missing_and_unfinished_runs_show_in_their_cell(make_run, runs_of):
    make_run(seed=0, record={"test_error": 1.0})
    make_run(seed=1, record={"test_error": 2.0})
    make_run(seed=0, transform=RECORDED_COMPONENTS["tps"], record={"test_error": 3.0})
    make_run(seed=1, transform=RECORDED_COMPONENTS["tps"], status="failed", record={"error": "OSError: disk full"})
    running = make_run(seed=0, distortion=RECORDED_COMPONENTS["rts"], status="running")
    make_run(seed=1, distortion=RECORDED_COMPONENTS["rts"], status="interrupted", record={"test_error": 9.0})
    make_run(seed=2, distortion=RECORDED_COMPONENTS["rts"], status="running")
    with run_lock(running):
        table = make_table(runs_of())
    assert (table.rows, table.columns) == ([("affine",), ("tps",)], [("rotation",), ("rts",)])
    assert texts(table) == [
        ["1.50 ± 0.71 (2/3)", "1 interrupted, 1 running, 1 died"],
        ["3.00 (1/3), 1 failed", "—"],
    ]
    found = notes(table)
    assert any(note.startswith("failed: ") and note.endswith("runs/3: OSError: disk full") for note in found)
    assert any(note.startswith(f"running: {running}: 0 of 2 epochs, last update ") for note in found)
    assert any(note.startswith("died: ") and "runs/6: 0 of 2 epochs, last update " in note for note in found)


def test_a_seed_that_ran_twice_counts_once_among_the_seeds(make_run, runs_of):
    tps = RECORDED_COMPONENTS["tps"]
    for rate, error in ((0.1, 10.0), (0.2, 20.0), (0.3, 30.0)):
        make_run(seed=0, training={"learning_rate": rate}, record={"test_error": error})
    for seed in (0, 1):
        make_run(seed=seed, transform=tps, training={"learning_rate": 0.1}, record={"test_error": 5.0})
    table = make_table(runs_of(), rows=["transform"], columns=[])
    assert texts(table) == [["20.00 ± 10.00 (1/2)"], ["5.00 ± 0.00 (2)"]]


def test_a_reason_of_many_runs_is_one_note(make_run, runs_of):
    for seed in range(6):
        make_run(seed=seed, status="failed", record={"error": "OSError: disk\nfull"})
    (note,) = (note for note in notes(make_table(runs_of())) if note.startswith("failed"))
    assert "runs/2 and 3 more: OSError: disk full" in note


def test_the_place_of_the_data_makes_no_row(make_run, runs_of):
    for seed, root in enumerate(("data/mnist", "/shared/mnist")):
        make_run(seed=seed, dataset={"name": "mnist", "root": root}, record={"test_error": 1.0})
    table = make_table(runs_of())
    assert table.axes == Axes((), (), (), ())
    assert texts(table) == [["1.00 ± 0.00 (2)"]]


def test_a_completed_run_without_the_metric_has_no_value(make_run, runs_of):
    make_run(record={"test_error": 1.0, "rotation_residual": 20.0})
    make_run(placement={"at": []}, record={"test_error": None})
    table = make_table(runs_of(), metrics=["test_error", "rotation_residual"])
    assert texts(table) == [["1.00 (1)"], ["n/a"]]
    assert texts(table, "rotation_residual") == [["20.00 (1)"], ["n/a"]]


def test_broken_records_are_in_no_cell(make_run, runs_of):
    make_run(record={"test_error": 1.0})
    (make_run() / "metrics.json").write_text("{")
    table = make_table(runs_of())
    assert len(table.broken) == 1
    assert texts(table) == [["1.00 (1)"]]
    assert any(note.startswith("broken: ") for note in notes(table))


def test_a_damaged_run_leaves_the_rest_of_its_cell(make_run, runs_of):
    for seed, error in enumerate((1.0, 3.0, float("inf"))):
        make_run(seed=seed, record={"test_error": error})
    table = make_table(runs_of())
    assert texts(table) == [["2.00 ± 1.41 (2)"]]
    assert [run.path.name for run in table.broken] == ["2"]


def test_only_broken_records_are_no_crash(make_run, runs_of):
    (make_run() / "metrics.json").write_text("{")
    assert make_table(runs_of()).cells == []


def test_numbers_ascend_and_names_stay_in_the_order_of_the_runs(make_run, runs_of):
    for epochs in (10, 2, 1):
        make_run(training={"epochs": epochs})
    assert make_table(runs_of()).rows == [("1",), ("2",), ("10",)]


def test_names_stay_in_the_order_of_the_runs(make_run, runs_of):
    make_run(transform=RECORDED_COMPONENTS["tps"])
    make_run()
    assert make_table(runs_of()).rows == [("tps",), ("affine",)]


def test_titles_name_options_and_omit_absent_ones(make_run, runs_of):
    make_run()
    for n in (3, 5):
        make_run(transform=RECORDED_COMPONENTS["tps"] | {"control_points": [n, n]})
    table = make_table(runs_of(), columns=[])
    titles = [table.row_title(i) for i in range(3)]
    assert titles == ["affine", "tps · control_points=3×3", "tps · control_points=5×5"]


@pytest.mark.no_jaxtyping
def test_an_unknown_metric_lists_those_there_are(make_run, runs_of):
    make_run(record={"test_error": 1.0, "pose": {"rotation": 2.0}})
    with pytest.raises(
        stnkit.errors.InputError, match=r"no completed run has a metric 'speed'; .* pose\.rotation, seed, test_e"
    ):
        make_table(runs_of(), metrics=["speed"])


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (1.234, 0.5, "1.23 ± 0.50"),
        (0.0, None, "0.00"),
        (425160.0, 0.0, "425160 ± 0"),
        (0.01234, 0.001, "0.012 ± 0.001"),
        (0.000012, None, "0.000012"),
        (123.456, None, "123.46"),
        (-0.5, None, "-0.50"),
    ],
)
def test_decimals_of_numbers(mean, std, text):
    assert number(Statistic(mean, std, 1 if std is None else 2)) == text


def test_the_value_is_the_primary_figure_of_the_runs(make_run, runs_of):
    make_run.of_objective("registration", {"point_error": 1.5, "folded": 0.0})
    table = make_table(runs_of())
    assert table.metrics == ["test_point_error"]
    assert table.with_unit("test_point_error") == "test_point_error, px"
    assert texts(table, "test_point_error") == [["1.50 (1)"]]


def test_each_objective_of_a_table_has_its_primary_figure(make_run, runs_of):
    make_run.of_objective("registration", {"point_error": 1.5, "folded": 0.0}, network={"name": "none"})
    make_run(record={"test_error": 2.0})
    make_run.of_objective("colocalization", {"found": 90.0, "iou": 0.7})
    table = make_table(runs_of())
    assert table.metrics == ["test_point_error", "test_error", "test_found"]
    assert table.rows == [("registration",), ("classification",), ("colocalization",)]
    assert [texts(table, metric) for metric in table.metrics] == [
        [["1.50 (1)"], ["n/a"], ["n/a"]],
        [["n/a"], ["2.00 (1)"], ["n/a"]],
        [["n/a"], ["n/a"], ["90.00 (1)"]],
    ]
    assert [table.quantity(metric).arrow for metric in table.metrics] == ["↓", "↓", "↑"]


def test_a_run_that_has_no_figures_yet_adds_no_value(make_run, runs_of):
    make_run.of_objective("registration", {"point_error": 1.5, "folded": 0.0})
    make_run(seed=1, objective={"name": "registration"}, status="failed", record={"error": "InputError: no pairs"})
    table = make_table(runs_of())
    assert table.metrics == ["test_point_error"]
    assert texts(table, "test_point_error") == [["1.50 (1/2), 1 failed"]]


def test_figures_that_disagree_have_neither_unit_nor_direction(make_run, runs_of):
    described = {"error": {"unit": "px", "higher_is_better": False}}
    make_run(record={"test_error": 1.0})
    make_run(objective={"name": "pose"}, record={"figures": described, "test_error": 2.0})
    table = make_table(runs_of())
    assert (table.metrics, table.with_unit("test_error")) == (["test_error"], "test_error")
    assert table.quantity("test_error").better == 0
