"""Checks of the constructor, of `prepare` and of what an objective needs."""

import dataclasses

from stnkit.errors import InputError, one_line
from stnkit.testing import round_trips
from stnkit.testing.assertions import LONGEST_REASON, CheckFailed, NotApplicable, NotBuilt, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.objectives.outputs import check_finite
from stnkit.testing.objectives.surroundings import maker, runs, taken
from stnkit.testing.objectives.synthetic_run import SyntheticRun


def construction(under_test: ComponentUnderTest) -> None:
    """The constructor works with the options, and the objective takes a run that has what it needs."""
    try:
        taken(under_test)
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason


def config(under_test: ComponentUnderTest) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(under_test)


def n_outputs(under_test: ComponentUnderTest) -> None:
    """`n_outputs` gives a whole number of at least 1; or None, where the default network is none."""
    for run in runs(under_test):
        n, network = run.n_outputs, run.objective.default_network
        require(n is None or (type(n) is int and n >= 1), f"n_outputs: expected a whole number or None, got {n!r}")
        sentence = f"default_network: expected 'none', as n_outputs gives None, got {network!r}"
        require(n is not None or network == "none", sentence)


def other_needs(under_test: ComponentUnderTest) -> None:
    """Without what `needs` does not name, it works, or `prepare` or `check_targets` raises an InputError."""
    main = taken(under_test).main[0]
    objective = SyntheticRun(maker(under_test), main).objective
    for need, without in (
        ("labels", dataclasses.replace(main, targets="numbers")),
        ("transformer", dataclasses.replace(main, transformer=False)),
        ("true_theta", dataclasses.replace(main, described=False)),
    ):
        if need in objective.needs:
            continue
        try:
            run = SyntheticRun(maker(under_test), without)
        except InputError:
            continue
        claim = f"needs does not name {need}, and without it losses and figures are expected"
        try:
            check_finite(run, run.batch())
        except NotApplicable:
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, CheckFailed) else f"it raised {one_line(error, LONGEST_REASON)}"
            raise CheckFailed(f"{claim}: {reason}") from error


def own_modules(under_test: ComponentUnderTest) -> None:
    """The transformer of the run is none of its submodules, as which it would be saved and moved twice."""
    for run in runs(under_test):
        own = set(run.objective.modules())
        if run.transformer is not None:
            sentence = "the transformer of the run must be no submodule: `self._transformer = (setting.transformer,)`"
            require(own.isdisjoint({run.transformer, run.transformer.localizer}), sentence)
