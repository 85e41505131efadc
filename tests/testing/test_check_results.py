"""What is checked, in all its forms, and what is told of it."""

import ast
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import stnkit
from stnkit.testing import Outcome

from .broken import datasets, distortions, localizers, networks, samplers, transforms

pytestmark = pytest.mark.no_jaxtyping


def outcomes(report):
    return {result.name: str(result.outcome) for result in report.results}


@pytest.mark.parametrize(
    ("component", "label"),
    [
        ("transform.affine", "transform.affine"),
        ({"name": "transform.affine", "ndim": 3}, "transform.affine(ndim=3)"),
        (stnkit.Component("bend", transforms.Good), "transform.bend"),
        (transforms.Good, "transform.Good"),
        (transforms.Good(strength=0.5), "transform.Good"),
        (samplers.Good(padding="circular"), "sampler.Good"),
        (datasets.Good(), "dataset.Good"),
        (localizers.Good, "localizer.Good"),
    ],
    ids=["name", "mapping", "component", "class", "family", "sampler", "dataset", "localizer"],
)
def test_a_component_may_be_given_in_any_form(component, label):
    report = stnkit.testing.check(component)
    assert report.ok
    assert report.component == label
    assert [check.component for check in stnkit.testing.checks_for(component)] == [label] * len(report.results)


def test_options_are_those_of_the_constructor():
    assert stnkit.testing.check("transform.affine", ndim=3).component == "transform.affine(ndim=3)"
    # What is not built has one failure, and one line for all that could not be checked.
    with pytest.raises(stnkit.testing.ConformanceError, match=r"failed: construction \(it cannot be built"):
        stnkit.testing.check("transform.affine", ndim=5)


def test_what_the_program_would_supply_may_be_fixed():
    report = stnkit.testing.check("network.paper_cnn", in_shape=[2, 30, 40], n_classes=3)
    assert outcomes(report)["too_small_input"] == "skipped"
    with pytest.raises(stnkit.testing.ConformanceError, match=r"it refuses images of \[1, 9, 9\]"):
        stnkit.testing.check("network.paper_cnn", in_shape=[1, 9, 9])


def test_an_object_is_used_as_it_is_and_stays_so():
    family = transforms.Good()
    family.register_buffer("center", torch.zeros(2))
    assert outcomes(stnkit.testing.check(family))["config"] == "skipped"
    assert family.center.dtype == torch.float32
    family.strength = math.nan
    assert outcomes(stnkit.testing.run(family))["identity"] == "failed"


def test_an_object_that_cannot_be_copied_is_checked_as_far_as_that_goes():
    report = stnkit.testing.run(transforms.NoCopy())
    assert [result.name for result in report.results if result.outcome == "failed"] == ["deep_copied"]
    assert outcomes(report)["state_dict"] == "skipped"


@pytest.mark.parametrize(
    ("component", "options", "message"),
    [
        ("affine", {}, "named by its kind and name, such as transform.affine, but 'affine' was given"),
        ("transform.afine", {}, "there is no transform 'afine'; the transforms are: affine"),
        ("warp.affine", {}, "there is no kind 'warp'"),
        (42, {}, "must be a stnkit.Component, a class, an object, or the name"),
        (dict, {}, "derives from no base class of stnkit"),
        ({"ndim": 3}, {}, "must be a stnkit.Component"),
        ("transform.affine", {"dims": 3}, "transform 'affine' has no option 'dims'; its options are: ndim"),
        (transforms.Good(), {"strength": 2.0}, r"made already: options \(strength\) go with its class"),
        (localizers.Good((1, 8, 8)), {}, "a localizer is built for the images of a run.*give the class Good"),
        (networks.Good((1, 8, 8), 3), {}, "a network is built for the images of a run.*give the class Good"),
        (distortions.Good((1, 8, 8)), {}, "a distortion is built for the images of a run.*give the class Good"),
    ],
    # By its class where it has no name: an address is another one in every process.
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_checked_is_refused_in_a_sentence(component, options, message):
    for call in (stnkit.testing.check, stnkit.testing.run, stnkit.testing.checks_for):
        with pytest.raises(stnkit.errors.InputError, match=message) as refused:
            call(component, **options)
        assert "\n" not in str(refused.value)


def test_a_report_names_every_failure_with_its_reason():
    with pytest.raises(stnkit.testing.ConformanceError) as raised:
        stnkit.testing.check(transforms.Elsewhere)
    text = str(raised.value)
    assert isinstance(raised.value, AssertionError)
    assert text.splitlines()[0] == "transform.Elsewhere: 19 passed, 1 failed, 2 skipped"
    assert "failed: identity (the identity must leave every point where it is, but there is" in text
    assert "skipped: linearity (Elsewhere is no LinearFamily)" in text
    assert not raised.value.report.ok


def test_an_expected_failure_is_none_and_one_that_passes_is():
    expected = {"identity": "it moves by a hundredth"}
    report = stnkit.testing.check(transforms.Elsewhere, expected_failures=expected)
    assert outcomes(report)["identity"] == "expected_failure"
    assert "expected failure: identity (it moves by a hundredth)" in str(report)
    with pytest.raises(stnkit.testing.ConformanceError, match=r"unexpected pass: identity .it was expected to fail"):
        stnkit.testing.check(transforms.Good, expected_failures=expected)
    # What does not apply neither fails nor passes.
    assert stnkit.testing.check(transforms.Good, expected_failures={"linearity": "never"}).ok


def test_an_expected_failure_of_a_check_that_there_is_not_is_refused():
    for function in (stnkit.testing.check, stnkit.testing.run):
        with pytest.raises(
            stnkit.errors.InputError, match=r"names 'identiti'.*the checks are: construction, config, identity"
        ):
            function(transforms.Good, expected_failures={"identiti": "a slip"})
    # A check that only runs when asked for is one nonetheless.
    assert stnkit.testing.check(transforms.Good, expected_failures={"compiled": "dynamic"}).ok


def test_run_raises_nothing_and_tells_every_outcome():
    report = stnkit.testing.run(transforms.Elsewhere)
    assert not report.ok
    assert {result.outcome for result in report.results} == {Outcome.passed, Outcome.failed, Outcome.skipped}
    assert len(report.results) == len(list(stnkit.testing.checks_for(transforms.Elsewhere)))


def test_a_single_check_can_be_run_and_says_why_it_does_not_apply():
    checks = {check.name: check for check in stnkit.testing.checks_for(transforms.Elsewhere)}
    assert checks["shapes"].run() is None
    assert checks["linearity"].run() == "Elsewhere is no LinearFamily"
    with pytest.raises(stnkit.testing.CheckFailed, match=r"transform\.Elsewhere, identity: the identity must leave"):
        checks["identity"]()


def test_checks_neither_read_nor_move_the_callers_random_state():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    stnkit.testing.check(localizers.Good)
    assert torch.equal(torch.get_rng_state(), before)


def test_checks_take_gradients_also_where_the_caller_takes_none():
    with torch.inference_mode():
        stnkit.testing.check(transforms.Good)


def test_the_config_check_leaves_hydras_store_as_it_was():
    from hydra.core.config_store import ConfigStore

    from stnkit.plugin_system.hydra_configs import register_component_groups

    register_component_groups()
    before = dict(ConfigStore.instance().repo["transform"])
    stnkit.testing.check(stnkit.Component("affine", transforms.Good))
    assert ConfigStore.instance().repo["transform"] == before


def test_what_a_component_raises_is_told_with_the_line_of_its_file():
    class Raises(transforms.Good):
        def forward(self, theta, points):
            raise KeyError("no such coefficient")

    report = stnkit.testing.run(Raises)
    line = Raises.forward.__code__.co_firstlineno + 1
    (reason,) = {result.reason for result in report.results if result.name == "grid_sizes"}
    assert reason == f"it raised KeyError: 'no such coefficient' ({Path(__file__).name}, line {line})"


def test_an_interruption_passes_through():
    class Interrupted(transforms.Good):
        def identity(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stnkit.testing.run(Interrupted)


def test_the_kit_works_without_pytest_lightning_or_any_verb_and_comes_with_stnkit():
    code = (
        "import sys; sys.modules['pytest'] = None; import stnkit; "
        "report = stnkit.testing.check('sampler.bilinear'); assert report.ok; print(report); "
        "assert not {'lightning', 'stnkit.cli'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("sampler.bilinear: 18 passed")


KIT = Path(stnkit.testing.__file__).parent


@pytest.mark.parametrize("path", sorted(KIT.glob("*.py")), ids=lambda path: path.stem)
def test_the_kit_depends_on_no_plugin(path):
    tree = ast.parse(path.read_text())
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not [module for module in modules if module.startswith(("stnkit_plugins", "stnkit.cli"))]
    built = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("build")]
    assert not built
