"""Abstract attributes of contracts: a missing one, or one of another type, is one sentence when an object is made."""

import re

import pytest
import torch

import stnkit
from tests.contract_examples import Aims, Box, Judges, Looks, Pictures, Rows, Shake, Shift

pytestmark = pytest.mark.no_jaxtyping


PLUGIN = """
import stnkit
from {cls.__module__} import {cls.__name__} as Mine


@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("mine", Mine)
"""


MISSING = [
    (Shift, {}, "Shift sets no n_params, which a TransformFamily must set"),
    (Rows, {}, "Rows sets no affine, which a MatrixFamily must set"),
    (Box, {}, "Box sets no support, which a KernelSampler must set"),
    (Looks, {"in_shape": (1, 8, 8)}, "Looks sets no n_features, which a Localizer must set"),
    (Pictures, {}, "Pictures sets no image_shape, which a Dataset must set"),
    (Shake, {"image_shape": (1, 8, 8)}, "Shake sets no family, which a Distortion must set"),
    (Aims, {}, "Aims sets no figures, which an Objective must set"),
]


@pytest.mark.parametrize(("cls", "supplied", "sentence"), MISSING, ids=lambda v: getattr(v, "__name__", ""))
def test_a_missing_attribute_is_one_sentence_everywhere(cls, supplied, sentence, make_distribution):
    with pytest.raises(stnkit.errors.InputError) as plain:
        cls(**supplied)
    assert str(plain.value) == sentence
    component = stnkit.Component("mine", cls)
    module = f"theirs_{cls.__name__}"
    make_distribution("theirs", {module: PLUGIN.format(cls=cls)}, {f"{component.kind.name}.mine": module})
    with pytest.raises(stnkit.errors.InputError) as built:
        stnkit.build(component.kind.name, "mine", **supplied)
    assert str(built.value) == f"{component.kind.name} 'mine': {sentence}"
    (failed, *_) = [r for r in stnkit.testing.run(component).results if r.outcome == "failed"]
    assert failed.name == "construction"
    assert sentence in failed.reason


VALUES = [
    (Shift, {}, "n_params", "2", "Shift.n_params: expected a whole number of at least 0, got '2'"),
    (Shift, {}, "n_params", 2.0, "Shift.n_params: expected a whole number of at least 0, got 2.0"),
    (Shift, {}, "ndim", "2", "Shift.ndim: expected 2 or 3, got '2'"),
    (Shift, {}, "ndim", 4, "Shift.ndim: expected 2 or 3, got 4"),
    (Shift, {}, "options_from_images", ["a"], "Shift.options_from_images: expected a mapping, got ['a']"),
    (
        Looks,
        {"in_shape": (1, 8, 8)},
        "in_shape",
        5,
        "Looks.in_shape: expected positive whole numbers or None, got 5",
    ),
    (Rows, {}, "affine", None, "Rows.affine: expected True or False, got None"),
    (Box, {}, "support", float("nan"), "Box.support: expected a finite number above 0, got nan"),
    (Box, {}, "support", "1", "Box.support: expected a finite number above 0, got '1'"),
    (Looks, {"in_shape": (1, 8, 8)}, "n_features", True, "Looks.n_features: expected a whole number of at least 0"),
    (Pictures, {}, "image_shape", 7, "Pictures.image_shape: expected positive whole numbers, got 7"),
    (Shake, {"image_shape": (1, 8, 8)}, "family", "affine", "Shake.family: expected a TransformFamily, got 'affine'"),
    (Aims, {}, "figures", {}, "Aims.figures: expected a mapping of names to Figure, at least one, got {}"),
    (
        Aims,
        {},
        "figures",
        {"error": "%"},
        "Aims.figures: expected a mapping of names to Figure, at least one, got {'err",
    ),
    (
        Judges,
        {},
        "figures",
        {"loss": stnkit.objectives.Figure()},
        "Judges.figures: expected a mapping of names to Figure",
    ),
    (Judges, {}, "terms", "loss", "Judges.terms: expected names of losses, at least one, got 'loss'"),
    (
        Judges,
        {},
        "needs",
        ("label",),
        "Judges.needs: expected a tuple of labels, pair, transformer, true_theta",
    ),
]


@pytest.mark.parametrize(("cls", "supplied", "name", "value", "sentence"), VALUES, ids=str)
def test_an_attribute_of_another_type_is_refused(cls, supplied, name, value, sentence):
    with pytest.raises(stnkit.errors.InputError, match=re.escape(sentence)):
        type(cls.__name__, (cls,), {name: value})(**supplied)


def test_a_property_that_fails_keeps_its_own_error():
    class Late(Shift):
        @property
        def n_params(self):
            return self.no_such_size

    with pytest.raises(AttributeError, match="no_such_size"):
        Late()


def test_an_attribute_may_be_set_by_the_class_or_the_constructor():
    class Later(Shift):
        def __init__(self):
            super().__init__()
            self.n_params = 2

    assert Later().n_params == 2
    assert type("Early", (Shift,), {"n_params": 2})().n_params == 2


class Forgets:
    def __init__(self, **supplied):
        self.factor = 2.0


class ForgetsBeforeAModule:
    def __init__(self, **supplied):
        self.layer = torch.nn.Linear(2, 2)


class ForgetsBeforeABuffer:
    def __init__(self, **supplied):
        self.register_buffer("factor", torch.ones(2))


@pytest.mark.parametrize("forgets", [Forgets, ForgetsBeforeAModule, ForgetsBeforeABuffer])
@pytest.mark.parametrize("base", [Shift, Rows, Box, Looks, Aims], ids=lambda base: base.__name__)
def test_a_forgotten_call_of_the_base_constructor_is_told(base, forgets):
    mine = type("Mine", (forgets, base), {})
    with pytest.raises(stnkit.errors.InputError) as caught:
        mine(**({"in_shape": (1, 8, 8)} if base is Looks else {}))
    assert str(caught.value) == "Mine.__init__: expected a call of super().__init__() before all else, got none"


def test_a_helper_that_forgets_its_base_is_not_the_family():
    class Helper(torch.nn.Module):
        def __init__(self):
            self.layer = torch.nn.Linear(2, 2)

    class Mine(Shift):
        def __init__(self):
            super().__init__()
            self.helper = Helper()

    with pytest.raises(AttributeError, match="cannot assign module"):
        Mine()


def test_what_a_new_returns_instead_is_told_by_its_attributes():
    class Mine(Shift):
        def __new__(cls):
            return 5

    with pytest.raises(stnkit.errors.InputError, match=r"^int "):
        Mine()


def test_another_error_of_a_constructor_stays_as_it_is():
    class Mine(Shift):
        def __init__(self):
            self.size = self.no_such_thing
            super().__init__()

    with pytest.raises(AttributeError, match="no_such_thing"):
        Mine()
