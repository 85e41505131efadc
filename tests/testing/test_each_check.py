"""Each check finds what it is there for, and nothing else: a component that is broken in one way fails one check."""

import importlib

import pytest

import stnkit
from stnkit.plugin_system.kinds import KINDS
from stnkit.testing.checks import functions_of

# Without run-time shape checks, as users run it: they would find some of this first.
pytestmark = pytest.mark.no_jaxtyping

MODULES = {kind: importlib.import_module(f"tests.testing.broken.{kind}s") for kind in KINDS}
BROKEN = [pytest.param(kind, name, id=f"{kind}-{name}") for kind, module in MODULES.items() for name in module.BROKEN]


@pytest.mark.parametrize(("kind", "name"), BROKEN)
def test_what_is_broken_in_one_way_fails_one_check(kind, name):
    report = stnkit.testing.run(MODULES[kind].BROKEN[name], compile=name == "compiled")
    assert [result.name for result in report.results if result.outcome == "failed"] == [name], str(report)
    (reason,) = [result.reason for result in report.results if result.outcome == "failed"]
    assert len(reason) > 20
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("component", "name"),
    [*MODULES["transform"].ALSO_BROKEN.items(), *MODULES["sampler"].ALSO_BROKEN.items()],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_would_fail_in_the_first_step_of_training_fails_one_check(component, name):
    report = stnkit.testing.run(component)
    assert [result.name for result in report.results if result.outcome == "failed"] == [name], str(report)


def test_a_forward_that_gives_no_points_fails_the_check_of_shapes():
    report = stnkit.testing.run(MODULES["transform"].OneCoordinate)
    reasons = {result.name: result.reason for result in report.results if result.outcome == "failed"}
    assert "forward must give points of shape (3, 12, 2) for as many, but they have (3, 12, 1)" in reasons["shapes"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_broken_fails_none(kind):
    report = stnkit.testing.run(MODULES[kind].Good, compile=True)
    assert report.ok, str(report)


@pytest.mark.parametrize("name", ["Nothing", "Learned"])
def test_what_is_unusual_fails_none(name):
    report = stnkit.testing.run(getattr(MODULES["transform"], name), compile=True)
    assert report.ok, str(report)


def test_clutter_and_noise_that_theta_does_not_describe_are_no_failure():
    report = stnkit.testing.check(MODULES["distortion"].Noisy)
    assert {result.outcome for result in report.results} == {"passed"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_check_is_without_a_component_that_fails_it(kind):
    assert list(MODULES[kind].BROKEN) == [function.__name__ for function in functions_of(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_check_says_what_has_to_be_so(kind):
    for check in stnkit.testing.checks_for(MODULES[kind].Good, compile=True):
        assert check.description.endswith(".")
        assert check.description.splitlines()[0] != ""


def test_a_dataset_whose_files_are_not_here_is_not_checked_and_does_not_fail():
    report = stnkit.testing.check(MODULES["dataset"].Absent)
    reasons = {result.name: result.reason for result in report.results if result.outcome == "skipped"}
    assert "nowhere/images is missing" in reasons["determinism"]
    assert "determinism" in reasons
