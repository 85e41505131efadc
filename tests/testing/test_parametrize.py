"""The decorator, as pytest sees it in a project of its own."""

import pytest

import stnkit

from .broken import samplers, transforms
from .inner_pytest import run_pytest

pytestmark = pytest.mark.no_jaxtyping

TEST_FILE = """
import stnkit.testing
from tests.testing.broken import transforms

@stnkit.testing.parametrize_with_checks(
    [transforms.Good, transforms.Elsewhere, {"name": "transform.scale", "ndim": 3}],
    expected_failures=lambda component: {"shapes": "not so"} if component is transforms.Good else {},
)
def test_conformance(check):
    check()

@stnkit.testing.parametrize_with_checks([transforms.Elsewhere], expected_failures={"identity": "it moves"})
def test_declared(check):
    check()
"""


def parameters(decorator):
    return decorator.args[1]


def test_ids_are_component_and_check():
    decorator = stnkit.testing.parametrize_with_checks(["transform.scale", samplers.Good])
    ids = [parameter.id for parameter in parameters(decorator)]
    assert ids[:2] == ["transform.scale-construction", "transform.scale-final_methods"]
    assert ids[-1] == "sampler.Good-deep_copied"
    assert len(set(ids)) == len(ids)
    assert decorator.args[0] == "check"


def test_compile_is_opt_in():
    for compile_ in (False, True):
        decorator = stnkit.testing.parametrize_with_checks([transforms.Good], compile=compile_)
        assert ("transform.Good-compiled" in [parameter.id for parameter in parameters(decorator)]) == compile_


def test_expected_failures_go_to_the_kinds_that_have_the_check():
    decorator = stnkit.testing.parametrize_with_checks(
        [transforms.Good, samplers.Good], expected_failures={"inverse": "none", "autocast": "narrow"}
    )
    marked = [parameter.id for parameter in parameters(decorator) if parameter.marks]
    assert marked == ["transform.Good-autocast", "transform.Good-inverse", "sampler.Good-autocast"]


@pytest.mark.parametrize("expected", [{"identiti": "a slip"}, lambda component: {"identiti": "a slip"}])
def test_an_expected_failure_of_no_check_is_refused(expected):
    with pytest.raises(stnkit.errors.InputError, match="such as 'identity', got 'identiti'; the checks are:"):
        stnkit.testing.parametrize_with_checks([transforms.Good], expected_failures=expected)


@pytest.mark.process
def test_failures_skips_and_expected_failures_are_pytests(tmp_path):
    (tmp_path / "test_it.py").write_text(TEST_FILE)
    code, reports = run_pytest(tmp_path, tmp_path)
    assert code == 1
    counts = {outcome: len(reports.named(outcome)) for outcome in ("passed", "failed", "skipped", "xfailed")}
    assert counts == {"passed": 107, "failed": 2, "skipped": 22, "xfailed": 1}
    shapes, identity = reports.named("failed")
    assert shapes == "test_it.py::test_conformance[transform.Good-shapes]"
    assert "XPASS(strict)" in reports.texts[shapes]  # an unexpected pass is a failure
    assert identity == "test_it.py::test_conformance[transform.Elsewhere-identity]"
    assert "transform.Elsewhere, identity: the identity must leave every point where it is" in reports.texts[identity]
    assert "not a LinearFamily" in reports.texts["test_it.py::test_conformance[transform.Good-linearity]"]
    assert reports.texts["test_it.py::test_declared[transform.Elsewhere-identity]"] == "it moves"
    assert "test_it.py::test_conformance[transform.scale(ndim=3)-inverse]" in reports.named("passed")
