import pytest

from stnkit.experiments.report.best import arrows, best_cells
from stnkit.experiments.report.notes import caption
from stnkit.experiments.report.quantities import quantity, with_unit
from stnkit.experiments.report.statistic import Statistic, number, signed
from stnkit.experiments.report.table import make_table
from stnkit.experiments.report.text_table import make_text_table
from stnkit.experiments.run_directory.recorded_figures import RecordedFigure
from tests.helpers import RECORDED_COMPONENTS


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("test_error", "%"),
        ("history.-1.validation_error", "%"),
        ("corner_error_raw", "px"),
        ("corner_error_global_identity", "px"),
        ("translation_residual", "px"),
        ("rotation_residual_identity", "°"),
        ("pose.rotation_mean.3", "°"),
        ("seconds", "s"),
        ("images_per_second", "1/s"),
        ("log_scale_residual", ""),
        ("rectified_variance", ""),
        ("test_loss", ""),
        ("test_theta_distance", ""),
        ("test_outside", "%"),
        ("history.-1.validation_outside", "%"),
        ("n_parameters", ""),
        ("a_stranger's figure", ""),
    ],
)
def test_a_figure_has_its_unit(metric, unit):
    assert quantity(metric).unit == unit
    assert with_unit(metric) == (f"{metric}, {unit}" if unit else metric)


@pytest.mark.parametrize(
    ("mean", "std", "metric", "text"),
    [
        (1e-17, None, "test_error", "0.00"),
        (-0.0, None, "test_error", "0.00"),
        (-1e-17, -0.0, "test_loss", "0.00 ± 0.00"),
        (3.0, 1e-17, "test_loss", "3.00 ± 0.00"),
        # θ in float32 leaves 2e-8 of a scale that no distortion changes.
        (1.7e-8, 2e-9, "log_scale_residual_identity", "0.00 ± 0.00"),
        (3e-15, None, "translation_residual_identity", "0.00"),
        (5e-6, None, "pose.rotation_mean.0", "0.00"),
        # Small and no noise.
        (3.2e-7, None, "test_loss", "0.00000032"),
        (0.0012, None, "log_scale_residual", "0.0012"),
        (0.0, 0.002, "test_loss", "0.0000 ± 0.0020"),
    ],
)
def test_rounding_noise_is_printed_as_0(mean, std, metric, text):
    statistic = Statistic(mean, std, 1 if std is None else 2)
    assert number(statistic, quantity(metric).resolution) == text


def test_a_difference_of_0_has_no_sign():
    assert [signed(d) for d in (0.3, -0.1, -0.001, 1e-17, -0.0)] == ["+0.30", "−0.10", "0.00", "0.00", "0.00"]


def test_the_best_mean_of_a_column_is_marked(make_run, runs_of):
    for transform, error, speed in (("affine", 2.0, 100.0), ("tps", 1.0, 50.0), ("similarity", 3.0, 200.0)):
        make_run(transform={"name": transform}, record={"test_error": error, "images_per_second": speed, "epoch": 9})
    make_run(distortion=RECORDED_COMPONENTS["rts"], record={"test_error": 1.0})
    table = make_table(runs_of(), metrics=["test_error", "images_per_second", "epoch"])
    # Errors are better when they are small, speeds when they are large; a number of epochs is neither.
    assert best_cells(table) == {(1, 0, "test_error"), (2, 0, "images_per_second")}


def test_means_that_print_alike_have_no_best(make_run, runs_of):
    for transform, error in (("affine", 1.0), ("tps", 1.0 + 1e-6)):
        make_run(transform={"name": transform}, record={"test_error": error})
    assert best_cells(make_table(runs_of())) == set()


@pytest.mark.parametrize(
    "metric", ["test_corner_error", "history.-1.validation_corner_error", "by_class.corner_error.3"]
)
def test_the_record_says_more_than_a_name(metric):
    kind = quantity(metric, {"corner_error": RecordedFigure("corner_error", "px")})
    assert (kind.unit, kind.better, kind.factor) == ("px", -1, 1)
    # Nobody has said so, and the error of a class is in percent alone.
    assert quantity("corner_error").unit == quantity("test_corner_error").unit == ""
    assert quantity("by_class.error.3").unit == "%"


def test_a_pose_figure_is_no_figure_of_the_objective():
    figures = {"rotation_residual": RecordedFigure("rotation_residual", "%", True)}
    assert quantity("rotation_residual", figures).unit == "°"
    assert quantity("test_rotation_residual", figures).arrow == "↑"


def test_a_share_of_1_has_four_digits(make_run, runs_of):
    for seed, iou in enumerate((0.98765, 0.98123)):
        make_run.of_objective("colocalization", {"found": 99.0, "iou": iou}, seed=seed)
    (cell,) = make_table(runs_of()).cells[0]
    assert cell.text("test_iou") == "0.9844 ± 0.0045 (2)"
    assert cell.text("test_found") == "99.00 ± 0.00 (2)"


def test_the_higher_of_two_figures_may_be_the_better(make_run, runs_of):
    for transform, found in (("affine", 80.0), ("similarity", 90.0)):
        make_run.of_objective("colocalization", {"found": found, "iou": 0.5}, transform={"name": transform})
    table = make_table(runs_of())
    assert table.metrics == ["test_found"]
    assert best_cells(table) == {(1, 0, "test_found")}
    assert caption(table) == "test_found, % ↑: of one seed (number of completed runs); ↑ higher is better"


def test_means_of_different_distortions_have_no_best_one(make_run, runs_of):
    for distortion, errors in (("rotation", (0.7, 0.6)), ("elastic", (0.5, 0.9))):
        for transform, error in zip(("affine", "tps"), errors, strict=True):
            make_run(distortion={"name": distortion}, transform={"name": transform}, record={"test_error": error})
    by_distortion = make_table(runs_of(), rows=["distortion"], columns=["transform"], metrics=["test_error"])
    assert best_cells(by_distortion) == set()
    both = make_table(runs_of(), rows=["distortion", "transform"], columns=[], metrics=["test_error"])
    assert [both.row_title(row) for row, _, _ in sorted(best_cells(both))] == ["rotation · tps", "elastic · affine"]


def test_an_arrow_stands_where_a_best_mean_is_marked(make_run, runs_of):
    for transform, error in (("affine", 1.0), ("tps", 2.0)):
        make_run(transform={"name": transform}, record={"test_error": error, "seconds": 5.0})
    table = make_table(runs_of(), columns=[], metrics=["test_error", "seconds"])
    assert arrows(table, best_cells(table)) == {"test_error": "↓"}
    assert make_text_table(table).headings == [("test_error, % ↓",), ("seconds, s",)]
    assert caption(table).startswith("test_error, % ↓; seconds, s: of one seed")
    assert caption(table).endswith("; ↓ lower is better")
