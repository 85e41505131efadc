"""Check of a family that has weights of its own: nothing that it has computed before outlives a change of them."""

import torch
from torch import Tensor

from stnkit import coordinates
from stnkit.families.family import TransformFamily
from stnkit.testing.assertions import FLOAT64, ITERATED, NotApplicable, close, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, lattice_points, theta_of, uniform

# A change this small, in relative terms, leaves weights what they are: positions apart, knots in their order.
CHANGE = 1e-3


def changed_weights(under_test: ComponentUnderTest) -> None:
    """After each parameter and buffer has changed, grid is forward on the pixel centers, in its gradient to them too.

    So a step of training and a loaded state change the grid, of which an earlier one of that size was made. A tensor
    that follows from a weight is computed when it is read, and not kept in a buffer of its own.
    """
    family: TransformFamily = under_test.another()
    weights = dict([*family.named_parameters(), *family.named_buffers()])
    weights = {name: weight for name, weight in weights.items() if weight.is_floating_point() and weight.numel()}
    if not weights:
        raise NotApplicable("it has no weights of its own")
    size = SIZE[family.ndim]
    theta = theta_of(family, spread=0.2)
    family.grid(theta, size)
    with torch.no_grad():
        for seed, weight in enumerate(weights.values(), start=1):
            step = CHANGE * torch.where(weight == 0, 1, weight.abs())
            weight.add_(step * uniform(weight.numel(), seed=seed).view_as(weight).to(step))
    grid = family.grid(theta, size)
    points = coordinates.finite(family(theta, lattice_points(size))).view(grid.shape)
    hint = "a tensor that follows from a weight is computed when it is read, not kept in a buffer of its own"
    close(grid, points, FLOAT64, f"after a change of its weights grid must be forward on the pixel centers ({hint})")
    learned = {name: weight for name, weight in weights.items() if weight.requires_grad}
    ours, theirs = (_gradients(source, list(learned.values())) for source in (grid, points))
    for name, found, expected in zip(learned, ours, theirs, strict=True):
        if expected is None:
            continue
        require(found is not None, f"the gradient of grid must reach the weight {name}, as that of forward does")
        assert found is not None
        scale = expected.abs().max().clamp_min(torch.finfo(expected.dtype).tiny)
        close(found / scale, expected / scale, ITERATED, f"the gradient of grid to the weight {name} must be forward's")


def _gradients(source: Tensor, weights: list[Tensor]) -> tuple[Tensor | None, ...]:
    """The gradient to each weight, None for one that the points do not depend on."""
    if not source.requires_grad:
        return (None,) * len(weights)
    return torch.autograd.grad((source * uniform(*source.shape, seed=3)).sum(), weights, allow_unused=True)
