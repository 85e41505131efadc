"""Checks of inverse, composition and linearity."""

import torch

from stnkit.errors import DoesNotComposeError
from stnkit.families.family import TransformFamily
from stnkit.families.linear import LinearFamily
from stnkit.testing.assertions import FLOAT64, ITERATED, NotApplicable, close, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import is_in_reach, points_of, row_by_row, theta_of, uniform


def inverse(under_test: ComponentUnderTest) -> None:
    """T_θ(inverse(θ, q)) = q: nearly all points that come from the image are found, and no answer is wrong.

    Where a map folds, any of the answers is right; where there is none, the answer is NaN. Of the points q = T_θ(p),
    which have an answer, an iteration may miss one in ten. Points p that a chart sends outside do not count.
    """
    family: TransformFamily = under_test.built()
    for dtype, tolerance in ((torch.float64, ITERATED / 100), (torch.float32, ITERATED)):
        theta = theta_of(family, dtype=dtype)
        points = points_of(family, n=30).to(dtype)
        from_image = family(theta, points).detach()
        anywhere = (2.5 * uniform(1, 30, family.ndim, seed=7)).to(dtype).expand(len(theta), -1, -1)
        for q in (from_image, anywhere):
            found = family.inverse(theta, q)
            known = found.isfinite().all(dim=-1)
            if q is from_image:
                counted = known[is_in_reach(q)] if family.is_chart else known
                share = counted.double().mean().item() if counted.numel() else 1.0
                require(share >= 0.9, f"inverse: expected the points of the image to be found, got {share:.0%} of them")
            back = row_by_row(family, theta, torch.where(known[..., None], found, 0.0))
            # A point without an answer is compared with itself.
            close(torch.where(known[..., None], back, q), q, tolerance, "T_θ(inverse(θ, q)) must be q")


def composition(under_test: ComponentUnderTest) -> None:
    """T of compose(outer, inner) is T_outer ∘ T_inner, for families that compose."""
    family: TransformFamily = under_test.built()
    outer, inner = theta_of(family, seed=1), theta_of(family, seed=2)
    try:
        composed = family.compose(outer, inner)
    except DoesNotComposeError as reason:
        raise NotApplicable(str(reason)) from reason
    points = points_of(family)
    claim = "forward with compose(outer, inner) must be forward with inner, then with outer"
    close(family(composed, points), row_by_row(family, outer, family(inner, points)), FLOAT64, claim)


def linearity(under_test: ComponentUnderTest) -> None:
    """T_{aθ + bφ}(p) = a T_θ(p) + b T_φ(p), for a LinearFamily; a + b = 1 for one that has a constant."""
    family: TransformFamily = under_test.built()
    if not isinstance(family, LinearFamily):
        raise NotApplicable(f"{type(family).__name__} is not a LinearFamily")
    first, second, points = theta_of(family, seed=1), theta_of(family, seed=2), points_of(family)
    factor = 2.7 if family.has_constant else 1.0
    together = family(-1.7 * first + factor * second, points)
    kind = "affine in θ where it says has_constant" if family.has_constant else "linear in θ"
    expected = -1.7 * family(first, points) + factor * family(second, points)
    close(together, expected, FLOAT64, f"a LinearFamily must be {kind}")
