"""Checks of copies, pickles and saved states, of an objective that was used for two steps of training."""

from collections.abc import Callable

from torch import Tensor

from stnkit.objectives import Objective
from stnkit.testing import round_trips
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.objectives.outputs import all_numbers
from stnkit.testing.objectives.surroundings import maker, trained_runs
from stnkit.testing.objectives.synthetic_run import SyntheticRun


def state_dict(under_test: ComponentUnderTest) -> None:
    """Another objective that loads its state, through a file of plain tensors, gives the same losses and figures."""
    for run in trained_runs(under_test):
        other = SyntheticRun(maker(under_test), run.given).objective
        round_trips.after_state_dict(run.objective, other, _responding(run))


def pickled(under_test: ComponentUnderTest) -> None:
    """An objective that was used, pickled and unpickled gives the same losses and figures."""
    for run in trained_runs(under_test):
        round_trips.after_pickle(run.objective, _responding(run))


def deep_copied(under_test: ComponentUnderTest) -> None:
    """A deep copy of an objective that was used gives the same losses and figures."""
    for run in trained_runs(under_test):
        round_trips.after_deepcopy(run.objective, _responding(run))


def _responding(run: SyntheticRun) -> Callable[[Objective], Tensor]:
    """Objective ↦ its losses and figures of a batch in eval mode."""
    return lambda objective: all_numbers(objective.eval(), run.batch())
