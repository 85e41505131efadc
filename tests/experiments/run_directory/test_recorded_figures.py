import pytest

import stnkit
from stnkit.experiments.run_directory.recorded_figures import (
    check_sweep_objective,
    primary_figure,
    recorded_figures,
    sweep_value,
)

EARLIER = {
    "test_error": 3.0,
    "status": "completed",
    "history": [{"validation_error": 9.0, "validation_loss": 0.5}, {"validation_error": 5.0, "validation_loss": 0.7}],
}
FOUND = {
    "figures": {"found": {"unit": "%", "higher_is_better": True}, "distance": {"unit": "px"}},
    "test_found": 90.0,
    "history": [{"validation_found": 50.0, "validation_distance": 2.0}],
}


def test_a_sweeper_minimizes_the_primary_figure_in_validation():
    assert sweep_value(EARLIER, None) == 5.0
    assert sweep_value(EARLIER, "test_error") == 3.0
    assert sweep_value(EARLIER, "validation_loss") == 0.7
    assert sweep_value(EARLIER | {"best_epoch": 0}, "validation_error") == 9.0


def test_a_figure_of_which_more_is_better_is_negative():
    assert sweep_value(FOUND, None) == -50.0
    assert sweep_value(FOUND, "test_found") == -90.0
    assert sweep_value(FOUND, "validation_distance") == 2.0


def test_a_record_without_figures_is_one_of_classification():
    (only,) = recorded_figures(EARLIER).values()
    assert (only.name, only.unit, only.higher_is_better) == ("error", "%", False)
    assert only.text(1.234) == "1.23 %"


def test_the_primary_figure_is_the_first_one():
    primary = primary_figure(FOUND)
    assert (primary.name, primary.words, primary.text(90)) == ("found", "found", "90.00 %")


def test_a_figure_that_a_run_does_not_have_is_refused():
    check_sweep_objective(None, ["loss"])
    check_sweep_objective("test_loss", ["loss", "found"])
    message = "^sweep_objective: expected one of validation_loss, validation_found, test_loss, test_found, got x$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        check_sweep_objective("x", ["loss", "found"])
