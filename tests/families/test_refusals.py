"""What a family of one's own does wrong is said in a sentence, where it is first used."""

import pytest
import torch

import stnkit

pytestmark = pytest.mark.no_jaxtyping


class Shift(stnkit.TransformFamily):
    """T_θ(p) = p + θ."""

    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None]


def test_a_forward_that_gives_something_else_than_points():
    class Norms(Shift):
        def forward(self, theta, points):
            return super().forward(theta, points).norm(dim=-1, keepdim=True)

    with pytest.raises(stnkit.errors.InputError, match=r"Norms.forward: expected shape \[3, 20, 2\], got \[3, 20, 1\]"):
        Norms().grid(torch.zeros(3, 2), (4, 5))


def test_coefficients_of_another_order():
    class Quadratic(stnkit.LinearFamily):
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
        stnkit.RegressionHead(5, Elsewhere())


def test_a_family_that_does_not_say_how_many_parameters_it_has():
    class Counted(stnkit.TransformFamily):
        identity, forward = Shift.identity, Shift.forward

    with pytest.raises(stnkit.errors.InputError, match="Counted sets no n_params, which a TransformFamily must set"):
        Counted()
