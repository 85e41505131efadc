"""The forms in which a component may be given, and the results of its checks."""

import ast
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

import stnkit
from stnkit.plugin_system.registry import plugin_registry
from stnkit.testing import Outcome

from .broken import datasets, distortions, localizers, networks, objectives, samplers, transforms

pytestmark = pytest.mark.no_jaxtyping


def outcomes(checked):
    return {result.name: str(result.outcome) for result in checked.results}


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
    checked = stnkit.testing.check(component)
    assert checked.ok
    assert checked.component == label
    assert [check.component for check in stnkit.testing.checks_for(component)] == [label] * len(checked.results)


def test_options_are_those_of_the_constructor():
    assert stnkit.testing.check("transform.affine", ndim=3).component == "transform.affine(ndim=3)"
    # A component that cannot be built has one failure, and one line for all other checks.
    with pytest.raises(stnkit.testing.ConformanceError, match=r"failed: construction \(it cannot be built"):
        stnkit.testing.check("transform.affine", ndim=5)


def test_a_value_that_the_program_supplies_may_be_fixed():
    checked = stnkit.testing.check("network.paper_cnn", in_shape=[2, 30, 40], n_classes=3)
    assert outcomes(checked)["too_small_input"] == "skipped"
    with pytest.raises(stnkit.testing.ConformanceError, match=r"it refuses images of \[1, 9, 9\]"):
        stnkit.testing.check("network.paper_cnn", in_shape=[1, 9, 9])


def test_an_object_is_used_as_it_is_and_stays_so():
    family = transforms.Good()
    family.register_buffer("center", torch.zeros(2))
    assert outcomes(stnkit.testing.check(family))["config"] == "skipped"
    assert family.center.dtype == torch.float32
    family.strength = math.nan
    assert outcomes(stnkit.testing.run(family))["identity"] == "failed"


def test_an_object_that_cannot_be_copied_is_checked_in_part():
    checked = stnkit.testing.run(transforms.NoCopy())
    assert [result.name for result in checked.results if result.outcome == "failed"] == ["deep_copied"]
    assert outcomes(checked)["state_dict"] == "skipped"


@pytest.mark.parametrize(
    ("component", "options", "message"),
    [
        ("affine", {}, "expected the kind and name of an installed component, such as transform.affine, got 'affine'"),
        ("transform.afine", {}, "there is no transform 'afine'; the transforms are: affine"),
        ("warp.affine", {}, "there is no kind 'warp'"),
        (42, {}, "expected a stnkit.Component, a class, an object, or the kind and name"),
        (dict, {}, "derives from no base class of stnkit"),
        ({"ndim": 3}, {}, "expected a stnkit.Component"),
        ("transform.affine", {"dims": 3}, "transform 'affine' has no option 'dims'; its options are: ndim"),
        (transforms.Good(), {"strength": 2.0}, r"already made: expected its class with options \(strength\)"),
        (localizers.Good((1, 8, 8)), {}, "a localizer is built for the images of a run.*expected the class Good"),
        (networks.Good((1, 8, 8), 3), {}, "a network is built for the images of a run.*expected the class Good"),
        (distortions.Good((1, 8, 8)), {}, "a distortion is built for the images of a run.*expected the class Good"),
    ],
    # By its class where it has no name: an address is another one in every process.
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_other_things_are_refused_in_one_sentence(component, options, message):
    for call in (stnkit.testing.check, stnkit.testing.run, stnkit.testing.checks_for):
        with pytest.raises(stnkit.errors.InputError, match=message) as refused:
            call(component, **options)
        assert "\n" not in str(refused.value)


def test_the_error_names_every_failure_with_its_reason():
    with pytest.raises(stnkit.testing.ConformanceError) as raised:
        stnkit.testing.check(transforms.Elsewhere)
    text = str(raised.value)
    assert isinstance(raised.value, AssertionError)
    assert text.splitlines()[0] == "transform.Elsewhere: 26 passed, 1 failed, 6 skipped"
    assert "failed: identity (the identity must leave every point where it is, unless it is a chart" in text
    assert "skipped: linearity (Elsewhere is not a LinearFamily)" in text
    assert not raised.value.results.ok


@pytest.mark.slow
def test_an_expected_failure_passes_and_an_unexpected_pass_fails():
    expected = {"identity": "it moves by a hundredth"}
    checked = stnkit.testing.check(transforms.Elsewhere, expected_failures=expected)
    assert outcomes(checked)["identity"] == "expected_failure"
    assert "expected failure: identity (it moves by a hundredth)" in str(checked)
    with pytest.raises(stnkit.testing.ConformanceError, match=r"unexpected pass: identity .it was expected to fail"):
        stnkit.testing.check(transforms.Good, expected_failures=expected)
    # A check that does not apply neither fails nor passes.
    assert stnkit.testing.check(transforms.Good, expected_failures={"linearity": "never"}).ok


def test_an_expected_failure_of_no_check_is_refused():
    for function in (stnkit.testing.check, stnkit.testing.run):
        with pytest.raises(
            stnkit.errors.InputError,
            match="expected a check of a transform, such as 'identity', got 'identiti'; the checks are: construction, ",
        ):
            function(transforms.Good, expected_failures={"identiti": "a slip"})
    with pytest.raises(stnkit.errors.InputError, match="expected a check of an objective, such as 'figures'"):
        stnkit.testing.run(objectives.Good, expected_failures={"figure": "a slip"})
    # A check that only runs when asked for is one nonetheless.
    assert stnkit.testing.check(transforms.Good, expected_failures={"compiled": "dynamic"}).ok


def test_run_raises_nothing_and_returns_every_outcome():
    checked = stnkit.testing.run(transforms.Elsewhere)
    assert not checked.ok
    assert {result.outcome for result in checked.results} == {Outcome.passed, Outcome.failed, Outcome.skipped}
    assert len(checked.results) == len(list(stnkit.testing.checks_for(transforms.Elsewhere)))


def test_a_single_check_runs_and_says_why_it_does_not_apply():
    checks = {check.name: check for check in stnkit.testing.checks_for(transforms.Elsewhere)}
    assert checks["shapes"].run() is None
    assert checks["linearity"].run() == "Elsewhere is not a LinearFamily"
    with pytest.raises(stnkit.testing.CheckFailed, match=r"transform\.Elsewhere, identity: the identity must leave"):
        checks["identity"]()


def test_checks_leave_the_random_state_of_the_caller_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    stnkit.testing.check(localizers.Good)
    assert torch.equal(torch.get_rng_state(), before)


def test_checks_take_gradients_under_inference_mode():
    with torch.inference_mode():
        stnkit.testing.check(transforms.Good)


def test_the_config_check_leaves_hydras_store_as_it_was():
    from hydra.core.config_store import ConfigStore

    from stnkit.plugin_system.hydra_configs import register_component_groups

    register_component_groups()
    before = dict(ConfigStore.instance().repo["transform"])
    stnkit.testing.check(stnkit.Component("affine", transforms.Good))
    assert ConfigStore.instance().repo["transform"] == before


def test_the_config_check_merges_overrides_as_hydra_does():
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    from stnkit.plugin_system.hydra_configs import register_component_groups
    from stnkit.testing.round_trips import _configured, _override

    chosen = {
        "transform": ("tps", {"control_points": [3, 5], "regularization": 0.1}),
        "sampler": ("bicubic", {"padding": "fill", "fill_value": [0.25, -1.0, 2.0]}),
        "localizer": ("convolutional", {"channels": [4, 6], "batch_norm": True}),
        "distortion": ("independent_channels", {"distortion": {"name": "rts", "canvas": [50, 60]}}),
    }
    words = [f"+{kind}={name}" for kind, (name, _) in chosen.items()]
    words += [f"{k}.{key}={_override(value)}" for k, (_, options) in chosen.items() for key, value in options.items()]
    register_component_groups()
    GlobalHydra.instance().clear()
    with initialize_config_module("stnkit.testing", version_base="1.3"):
        composed = OmegaConf.to_container(compose(overrides=words), enum_to_str=True)
    registry = plugin_registry()
    assert composed == {k: _configured(registry.component(k, name), options) for k, (name, options) in chosen.items()}


def test_the_names_of_plugin_api_1_work_with_a_warning():
    with pytest.warns(stnkit.errors.RenamedWarning, match="Report is now stnkit.testing.CheckResults"):
        assert stnkit.testing.Report is stnkit.testing.CheckResults
    error = stnkit.testing.ConformanceError(stnkit.testing.CheckResults("transform.Good", []))
    with pytest.warns(stnkit.errors.RenamedWarning, match=r"report is now ConformanceError.results"):
        assert error.report is error.results


def test_an_error_is_told_with_its_line_in_the_components_file():
    class Raises(transforms.Good):
        def forward(self, theta, points):
            raise KeyError("no such coefficient")

    checked = stnkit.testing.run(Raises)
    line = Raises.forward.__code__.co_firstlineno + 1
    (reason,) = {result.reason for result in checked.results if result.name == "grid_sizes"}
    assert reason == f"it raised KeyError: 'no such coefficient' ({Path(__file__).name}, line {line})"


def test_an_interruption_passes_through():
    class Interrupted(transforms.Good):
        def identity(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stnkit.testing.run(Interrupted)


@pytest.mark.process
def test_the_kit_imports_no_pytest_lightning_or_command_line():
    code = (
        "import sys; sys.modules['pytest'] = None; import stnkit; "
        "checked = stnkit.testing.check('sampler.bilinear'); assert checked.ok; print(checked); "
        "assert not {'lightning', 'stnkit.cli'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("sampler.bilinear: 21 passed")


KIT = Path(stnkit.testing.__file__).parent


@pytest.mark.parametrize("path", sorted(KIT.rglob("*.py")), ids=lambda path: path.relative_to(KIT).as_posix())
def test_the_kit_depends_on_no_plugin(path):
    tree = ast.parse(path.read_text())
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not [module for module in modules if module.startswith(("stnkit_plugins", "stnkit.cli"))]
    built = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("build")]
    assert not built
