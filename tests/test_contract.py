"""Contracts: methods are abstract, final or optional hooks; abstract attributes are checked when an object is made."""

import abc
import inspect
import re
import typing

import pytest
import torch

import stnkit
from stnkit.contract import Contract, overridden_finals
from stnkit.plugin_system.kinds import KINDS
from stnkit.plugin_system.registry import plugin_registry

CONTRACTS = [
    stnkit.TransformFamily,
    stnkit.families.LinearFamily,
    stnkit.families.MatrixFamily,
    stnkit.Localizer,
    stnkit.Sampler,
    stnkit.samplers.PaddedSampler,
    stnkit.samplers.KernelSampler,
    stnkit.Network,
    stnkit.Dataset,
    stnkit.Distortion,
    stnkit.distortions.WarpDistortion,
    stnkit.Objective,
]


pytestmark = pytest.mark.no_jaxtyping


def test_every_kind_has_a_contract_and_every_contract_is_listed():
    assert {kind.base_class() for kind in KINDS.values()} <= set(CONTRACTS)
    core = {c for c in all_subclasses(Contract) if c.__module__.startswith("stnkit.") and inspect.isabstract(c)}
    assert {c for c in core if not c.__module__.startswith("stnkit.testing")} == set(CONTRACTS)


def all_subclasses(cls):
    return {sub for direct in cls.__subclasses__() for sub in (direct, *all_subclasses(direct))}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.__name__)
def test_a_method_is_abstract_final_or_an_optional_hook(contract):
    for name, method in vars(contract).items():
        if inspect.isfunction(method) and name not in ("__init__", "__init_subclass__", "extra_repr"):
            abstract, final = getattr(method, "__isabstractmethod__", False), getattr(method, "__final__", False)
            optional = (inspect.getdoc(method) or "").startswith("Optional hook:")
            helper = name.startswith("_") and not any(name in vars(base) for base in contract.__mro__[1:])
            assert abstract + final + optional == 1 or helper, f"{contract.__name__}.{name}"


@pytest.mark.parametrize("entry", plugin_registry().registered, ids=lambda e: f"{e.kind}-{e.name}")
def test_no_component_overrides_a_final_method(entry):
    assert overridden_finals(entry.component.cls) == []


class Shift(stnkit.TransformFamily):
    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None]


class Rows(stnkit.families.MatrixFamily):
    n_params = 6

    def identity(self):
        return torch.eye(2, 3, dtype=torch.float64).flatten()

    def rows(self, theta):
        return theta.view(-1, 2, 3)


class Box(stnkit.samplers.KernelSampler):
    def kernel(self, distance):
        return torch.ones_like(distance)


class Looks(stnkit.Localizer):
    def __init__(self, in_shape: tuple[int, ...]):
        super().__init__()

    def features(self, image):
        return image.mean((2, 3))


class Pictures(stnkit.Dataset):
    n_classes = 2

    def split(self, name):
        raise NotImplementedError


class Shake(stnkit.Distortion):
    def __init__(self, image_shape: tuple[int, ...]):
        self.out_size = image_shape[1:]

    def sample(self, n, generator):
        raise NotImplementedError

    def apply(self, images, theta, generator):
        raise NotImplementedError


class Aims(stnkit.Objective):
    def losses(self, batch):
        raise NotImplementedError

    def measure(self, batch):
        raise NotImplementedError


class Judges(Aims):
    figures: typing.ClassVar = {"error": stnkit.objectives.Figure()}


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


class NotOfTheHook(Shift):
    n_params = 2

    def __init__(self):
        super().__init__()
        self._grid = torch.zeros(2)


def helper(self, size):
    return size


@pytest.mark.parametrize(("value", "got"), [(None, "NoneType"), (helper, "_inverse(self, size)")])
def test_a_name_that_became_a_hook_is_refused_by_name(value, got):
    expected = f"Own._inverse: expected the hook _inverse(theta, points) of TransformFamily, got {got}: give"
    with pytest.raises(stnkit.errors.InputError, match=re.escape(expected)):
        type("Own", (Shift,), {"_inverse": value})
    with pytest.raises(stnkit.errors.InputError, match=r"NotOfTheHook._grid: expected the hook .* got Tensor"):
        NotOfTheHook()


class GridMixin:
    def grid(self, theta, size):
        return super().grid(theta, size)


class OwnFinal(Shift):
    @typing.final
    def steps(self):
        return 2


OVERRIDES = [
    (lambda: type("X", (GridMixin, Shift), {}), "X overrides grid, .*: rename it to _grid"),
    (
        lambda: type("X", (stnkit.samplers.PaddedSampler,), {"forward": helper}),
        "forward, .*: leave it out, or derive from Sampler",
    ),
    (lambda: type("X", (stnkit.Localizer,), {"forward": helper}), "X overrides forward, .*: rename it to features"),
    (
        lambda: type("X", (stnkit.distortions.WarpDistortion,), {"apply": helper}),
        "apply, .*: leave it out, or derive from Distortion",
    ),
]


@pytest.mark.parametrize(("define", "sentence"), OVERRIDES, ids=range(4))
def test_an_overridden_final_is_told_with_what_to_do(define, sentence):
    with pytest.warns(stnkit.errors.RenamedWarning, match=sentence):
        define()
    assert overridden_finals(type("Y", (OwnFinal,), {"steps": helper})) == []


def test_the_signature_of_a_class_is_that_of_its_constructor():
    affine = type(stnkit.build("transform", "affine"))
    assert [str(p) for p in inspect.signature(affine).parameters.values()] == ["ndim: int = 2"]
    assert "args" in inspect.signature(Shift).parameters  # nn.Module's own


def test_an_option_may_be_called_cls():
    class Named(Shift):
        n_params = 2

        def __init__(self, cls: int = 1):
            super().__init__()
            self.cls = cls

    assert Named(cls=3).cls == 3


@pytest.mark.parametrize(
    ("affine", "shape"), [(True, "(B, 2, 3), without"), (False, "(B, 3, 3), as `affine` is False")]
)
def test_rows_of_the_wrong_shape_are_refused_by_name(affine, shape):
    class Wrong(Rows):
        def rows(self, theta):
            matrix = stnkit.coordinates.with_last_row(theta.view(-1, 2, 3))
            return matrix if affine else matrix[:, :2]

    Wrong.affine = affine
    family, theta = Wrong(), Wrong().identity()[None]
    points = torch.zeros(1, 1, 2)
    calls = [lambda: family(theta, points), lambda: family.grid(theta, (2, 2)), lambda: family.inverse(theta, points)]
    for call in [*calls, lambda: family.matrix(theta), lambda: family.compose(theta, theta)]:
        with pytest.raises(stnkit.errors.InputError, match=re.escape(f"Wrong.rows: expected shape {shape}")):
            call()


def test_an_attribute_may_be_set_by_the_class_or_the_constructor():
    class Later(Shift):
        def __init__(self):
            super().__init__()
            self.n_params = 2

    assert Later().n_params == 2
    assert type("Early", (Shift,), {"n_params": 2})().n_params == 2


def test_overriding_a_final_method_warns_once_when_it_is_defined():
    with pytest.warns(stnkit.errors.RenamedWarning, match="Own overrides grid, .*: rename it to _grid") as told:

        class Own(Shift):
            n_params = 2

            def grid(self, theta, size):
                return torch.zeros(1)

    assert len(told) == 1
    assert Own().grid(None, None).shape == (1,)


def test_a_contract_cannot_be_made_itself():
    for contract in CONTRACTS:
        assert issubclass(type(contract), abc.ABCMeta)
        with pytest.raises(TypeError, match="abstract"):
            contract()
