import signal

import pytest

from stnkit import errors
from stnkit.experiments.loop.failures import Failure, ProcessError, ProcessLostError, first_user_error
from stnkit.experiments.loop.interruption import Interrupted
from stnkit.experiments.run_directory.lock import BusyError
from stnkit.experiments.run_directory.occupancy import OccupiedError
from stnkit.families.correspondences.least_squares import UndeterminedError
from stnkit.families.dimensions import DimensionsError


class TooFewError(errors.DataError):
    """An error of a plugin."""

    def __init__(self, n: int) -> None:
        super().__init__(f"expected 3, got {n}")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (errors.UnknownNameError("no"), errors.UnknownNameError, "no"),
        (DimensionsError("no"), errors.InputError, "no"),
        (UndeterminedError("no"), errors.InputError, "no"),
        (OccupiedError("no"), errors.StnkitError, "no"),
        (BusyError("no"), errors.StnkitError, "no"),
        (TooFewError(2), errors.DataError, "expected 3, got 2"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_ours_arrives_as_its_public_class(error, kind, message):
    found = first_user_error([Failure.of(1, error)])
    assert type(found) is kind
    assert str(found) == message


@pytest.mark.parametrize("error", [ValueError("no"), ProcessError("gone"), ProcessLostError("gone")])
def test_any_other_error_and_that_of_a_lost_process_do_not(error):
    failure = Failure.of(1, error)
    assert first_user_error([failure]) is None
    assert failure.name == type(error).__name__


def test_an_error_of_a_library_with_one_of_our_names_is_its_own():
    foreign = type("DataError", (Exception,), {"__module__": "tables"})("no")
    failure = Failure.of(0, foreign)
    assert failure.name == "tables.DataError"
    assert first_user_error([failure]) is None


def test_an_interruption_arrives_as_one():
    assert isinstance(first_user_error([Failure.of(0, Interrupted(signal.SIGTERM))]), Interrupted)
