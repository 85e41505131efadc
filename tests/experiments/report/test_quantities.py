import pytest

from stnkit.experiments.report.best import best_cells
from stnkit.experiments.report.quantities import quantity, with_unit
from stnkit.experiments.report.statistic import Statistic, number, signed
from stnkit.experiments.report.table import make_table
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
