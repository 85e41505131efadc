"""Mistakes in a family of one's own are one sentence, where it is first used."""

import numpy as np
import pytest
import torch

import stnkit
from stnkit.localizers import RegressionHead

pytestmark = pytest.mark.no_jaxtyping


class Shift(stnkit.TransformFamily):
    """T_θ(p) = p + θ."""

    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None]


@pytest.mark.parametrize("given", [[0.0, 0.0], np.zeros((1, 2)), None], ids=["list", "ndarray", "NoneType"])
def test_what_is_no_tensor_is_named(given):
    family, theta, points = Shift(), torch.zeros(1, 2), torch.zeros(1, 3, 2)
    sampler, image = stnkit.build("sampler", "bilinear"), torch.zeros(1, 1, 4, 4)
    kind = type(given).__name__
    for name, call in [
        ("Shift: theta", lambda: family(given, points)),
        ("Shift: theta", lambda: family.grid(given, (4, 5))),
        ("Shift: points", lambda: family(theta, given)),
        ("Shift: points", lambda: family.inverse(theta, given)),
        ("image", lambda: sampler(given, family.grid(theta, (4, 5)))),
        ("grid", lambda: sampler(image, given)),
    ]:
        with pytest.raises(stnkit.errors.InputError, match=f"^{name}: expected a tensor, got {kind}$"):
            call()


@pytest.mark.parametrize(
    ("identity", "got"),
    [([0.0, torch.nan], "[0.0, nan]"), ([0.0, -torch.inf], "[0.0, -inf]"), ([1j, 0.0], "[1j, 0j]")],
)
def test_an_identity_that_is_not_finite_and_real_is_refused(identity, got):
    family = type("Mine", (Shift,), {"identity": lambda self: torch.tensor(identity)})()
    with pytest.raises(stnkit.errors.InputError) as caught:
        RegressionHead(3, family)
    assert str(caught.value) == f"Mine.identity: expected finite real numbers, got {got}"


def test_batches_of_different_sizes_compose_only_with_one():
    affine = stnkit.build("transform", "affine")
    outer, inner = torch.rand(2, 6), torch.rand(3, 6)
    with pytest.raises(stnkit.errors.InputError, match="one batch size for outer and inner, got 2 and 3"):
        affine.compose(outer, inner)
    torch.testing.assert_close(affine.compose(outer[:1], inner), affine.compose(outer[:1].expand(3, -1), inner))


def test_a_forward_that_gives_something_else_than_points():
    class Norms(Shift):
        def forward(self, theta, points):
            return super().forward(theta, points).norm(dim=-1, keepdim=True)

    with pytest.raises(stnkit.errors.InputError, match=r"Norms.forward: expected shape \[3, 20, 2\], got \[3, 20, 1\]"):
        Norms().grid(torch.zeros(3, 2), (4, 5))


def test_coefficients_of_another_order():
    class Quadratic(stnkit.families.LinearFamily):
        n_params = 6

        def identity(self):
            return torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float64)

        def basis(self, points):
            return torch.cat([points, points[:, :1] ** 2], dim=1)

        def coefficients(self, theta):
            return theta.view(-1, 2, 3).mT

    family = Quadratic()
    for call in (lambda t: family.grid(t, (4, 5)), lambda t: family(t, torch.zeros(1, 7, 2))):
        with pytest.raises(stnkit.errors.InputError, match=r"expected shape \(B, 2, K\) .*, got \(4, 3, 2\)"):
            call(torch.zeros(4, 6))


@pytest.mark.parametrize(
    ("identity", "given"),
    [
        (torch.zeros(3), r"\[3\]"),
        (torch.zeros(1, 2), r"\[1, 2\]"),
        ([0.0, 0.0], "list"),
    ],
    ids=["long", "a row", "a list"],
)
def test_an_identity_that_no_head_can_start_from(identity, given):
    class Elsewhere(Shift):
        def identity(self):
            return identity

    with pytest.raises(stnkit.errors.InputError, match=rf"Elsewhere.identity: expected .*, got {given}"):
        RegressionHead(5, Elsewhere())


def test_a_family_that_does_not_say_how_many_parameters_it_has():
    class Counted(stnkit.TransformFamily):
        identity, forward = Shift.identity, Shift.forward

    with pytest.raises(stnkit.errors.InputError, match="Counted sets no n_params, which a TransformFamily must set"):
        Counted()
