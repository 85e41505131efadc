"""Each check finds its own defect and no other: a component that is broken in one way fails one check."""

import importlib

import pytest
import torch

import stnkit
from stnkit.errors import RenamedWarning
from stnkit.plugin_system.kinds import KINDS
from stnkit.testing.checks import functions_of
from tests.testing.broken import good_transforms, linear_families

# Without run-time shape checks, as users run it: these would find some of the defects first.
pytestmark = pytest.mark.no_jaxtyping

MODULES = {kind: importlib.import_module(f"tests.testing.broken.{kind}s") for kind in KINDS}
BROKEN = [pytest.param(kind, name, id=f"{kind}-{name}") for kind, module in MODULES.items() for name in module.BROKEN]


def reasons(checked, outcome="failed"):
    return {result.name: result.reason for result in checked.results if result.outcome == outcome}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), BROKEN)
def test_one_defect_fails_exactly_one_check(kind, name):
    checked = stnkit.testing.run(MODULES[kind].BROKEN[name], compile=name == "compiled")
    assert list(reasons(checked)) == [name], str(checked)
    assert len(reasons(checked)[name]) > 20
    assert "\n" not in reasons(checked)[name]


@pytest.mark.parametrize(
    ("component", "name"),
    [*MODULES["transform"].ALSO_BROKEN.items(), *MODULES["sampler"].ALSO_BROKEN.items()],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_defect_of_the_first_training_step_fails_one_check(component, name):
    checked = stnkit.testing.run(component)
    assert list(reasons(checked)) == [name], str(checked)


def test_a_linear_family_with_a_constant_says_so():
    assert reasons(stnkit.testing.run(linear_families.SaysConstant)) == {}


def test_a_chart_that_does_not_say_so_is_told_to():
    failed = reasons(stnkit.testing.run(MODULES["transform"].HidesChart))
    assert "where it is, unless it is a chart, with is_chart = True: expected" in failed["identity"]
    failed = reasons(stnkit.testing.run(MODULES["transform"].SaysChart))
    assert failed["identity"].endswith(
        "the neutral θ of a chart must not be the identity map: expected is_chart = False, got True"
    )


def test_a_forward_that_gives_no_points_fails_shapes():
    failed = reasons(stnkit.testing.run(MODULES["transform"].OneCoordinate))
    assert failed["shapes"] == "it raised OneCoordinate.forward: expected shape [3, 12, 2], got [3, 12, 1]"


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("transform", "Overrides overrides grid, which is final: rename it to _grid"),
        ("sampler", "Overrides overrides grid_sample, which is final: leave it out"),
    ],
)
def test_an_overridden_final_method_is_told_with_its_new_name(kind, sentence):
    assert reasons(stnkit.testing.run(MODULES[kind].Overrides)) == {"final_methods": sentence}


def test_a_final_method_that_a_mixin_overrides_is_found():
    class Mixin:
        def inverse(self, theta, points):
            return points

    with pytest.warns(RenamedWarning, match="Mixed overrides inverse"):

        class Mixed(Mixin, MODULES["transform"].Good): ...

    failed = reasons(stnkit.testing.run(Mixed))
    assert failed["final_methods"].endswith("Mixin overrides inverse, which is final: rename it to _inverse")


def test_a_missing_attribute_fails_the_construction():
    class Uncounted(stnkit.TransformFamily):
        identity, forward = MODULES["transform"].Good.identity, MODULES["transform"].Good.forward

    failed = reasons(stnkit.testing.run(Uncounted))
    assert list(failed) == ["construction"]
    assert "Uncounted sets no n_params, which a TransformFamily must set" in failed["construction"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_declared_option_that_is_none_fails_config(kind):
    declares = type("Declares", (MODULES[kind].Good,), {"run_control_options": ("place",)})
    failed = reasons(stnkit.testing.run(declares))
    assert "Declares.run_control_options: expected options of the constructor" in failed["config"]
    assert failed["config"].endswith("got 'place'")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_component_without_defects_fails_none(kind):
    checked = stnkit.testing.run(MODULES[kind].Good, compile=True)
    assert checked.ok, str(checked)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("component", "name"),
    [pair for kind in ("dataset", "distortion", "network", "objective") for pair in MODULES[kind].ALSO_BROKEN.items()],
)
def test_another_defect_of_a_split_or_output_fails_its_check(component, name):
    checked = stnkit.testing.run(component)
    assert list(reasons(checked)) == [name], str(checked)


@pytest.mark.parametrize("seed", [0, 1])
def test_draws_of_the_constructor_fail_whatever_the_seed(seed):
    torch.manual_seed(seed)
    checked = stnkit.testing.run(MODULES["distortion"].DrawsWhenMade)
    assert list(reasons(checked)) == ["seeded_draws"], str(checked)


@pytest.mark.parametrize("name", ["Floats", "Targets"])
def test_floats_and_targets_that_are_no_labels_fail_none(name):
    checked = stnkit.testing.run(getattr(MODULES["dataset"], name))
    assert checked.ok, str(checked)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Nothing", "Learned", "Cylinder", "Hemisphere"])
def test_an_unusual_family_fails_none(name):
    checked = stnkit.testing.run(getattr(good_transforms, name), compile=True)
    assert checked.ok, str(checked)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["BeginsAtZero", "Transforms"])
def test_weights_that_begin_at_zero_fail_none(name):
    checked = stnkit.testing.run(getattr(MODULES["network"], name))
    assert checked.ok, str(checked)


@pytest.mark.slow
def test_a_localizer_that_gives_a_map_fails_none():
    checked = stnkit.testing.run(MODULES["localizer"].GoodMap, compile=True)
    assert checked.ok, str(checked)


@pytest.mark.parametrize("factor", [1e-4, 100.0, 1e4])
def test_a_localizer_with_features_of_any_size_fails_none(factor):
    checked = stnkit.testing.run(MODULES["localizer"].Scaled, factor=factor)
    assert checked.ok, str(checked)


def test_a_localizer_with_a_map_of_any_size_fails_none():
    checked = stnkit.testing.run(MODULES["localizer"].ScaledMap)
    assert checked.ok, str(checked)


def test_a_map_that_is_no_map_fails_input_sizes():
    checked = stnkit.testing.run(MODULES["localizer"].Averages)
    assert "Averages.features: expected a map (B, n_features, *size) [1, 4, n, n]" in reasons(checked)["input_sizes"]


@pytest.mark.slow
def test_a_network_that_hands_the_image_on_fails_none():
    assert stnkit.testing.run(MODULES["network"].HandsOn, compile=True).ok


def test_a_distortion_with_too_few_theta_for_a_split_is_told():
    failed = reasons(stnkit.testing.run(MODULES["distortion"].DrawsFew))
    assert failed["theta"] == "3000 draws: expected shape (3000, 2), got (1000, 2)"
    assert failed["seeded_draws"] == "generators of two seeds must draw other θ: draw from the generator"


def test_a_distortion_of_one_theta_fails_none():
    class Constant(MODULES["distortion"].Good):
        def sample(self, n, generator):
            return torch.full((n, self.family.n_params), 0.05)

    assert reasons(stnkit.testing.run(Constant)) == {}


@pytest.mark.slow
def test_clutter_and_noise_beside_theta_are_no_failure():
    checked = stnkit.testing.check(MODULES["distortion"].Noisy)
    assert {result.outcome for result in checked.results} == {"passed"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_check_has_a_component_that_fails_it(kind):
    assert list(MODULES[kind].BROKEN) == [function.__name__ for function in functions_of(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_check_describes_itself_in_sentences(kind):
    for check in stnkit.testing.checks_for(MODULES[kind].Good, compile=True):
        assert check.description.endswith(".")
        assert check.description.splitlines()[0] != ""


def test_a_dataset_without_its_files_is_skipped():
    checked = stnkit.testing.check(MODULES["dataset"].Absent)
    assert "nowhere/images is missing" in reasons(checked, "skipped")["determinism"]
