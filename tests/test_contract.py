"""Contracts: methods are abstract, final or optional hooks."""

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
from tests.contract_examples import Rows, Shift

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
