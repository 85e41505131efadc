"""Checks of copies, pickles, saved states and compiled programs."""

import torch
from torch import Tensor, nn

from stnkit.families.family import TransformFamily
from stnkit.testing import round_trips
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, theta_of


def state_dict(under_test: ComponentUnderTest) -> None:
    """A second family that loads the state of the first, through a file of plain tensors, has the same grid."""
    family: TransformFamily = under_test.built()
    round_trips.after_state_dict(family, under_test.another(), _some_grid)


def pickled(under_test: ComponentUnderTest) -> None:
    """A family that was used, pickled and unpickled has the same grid."""
    round_trips.after_pickle(under_test.built(), _some_grid)


def deep_copied(under_test: ComponentUnderTest) -> None:
    """A deep copy of a family that was used has the same grid."""
    round_trips.after_deepcopy(under_test.built(), _some_grid)


def compiled(under_test: ComponentUnderTest) -> None:
    """torch.compile(fullgraph=True) of the grid gives the same values and gradients."""
    family: TransformFamily = under_test.built()
    theta = theta_of(family, dtype=torch.float32).requires_grad_()
    size = SIZE[family.ndim]
    compiled_grid = torch.compile(_Grid(family, size), fullgraph=True, backend="aot_eager")
    round_trips.after_compile(family, lambda f: f.grid(theta, size), lambda _: compiled_grid(theta), [theta])


class _Grid(nn.Module):
    """θ ↦ family.grid(θ, size)."""

    def __init__(self, family: TransformFamily, size: tuple[int, ...]) -> None:
        super().__init__()
        self.family = family
        self.size = size

    def forward(self, theta: Tensor) -> Tensor:
        return self.family.grid(theta, self.size)


def _some_grid(family: TransformFamily) -> Tensor:
    return family.grid(theta_of(family), SIZE[family.ndim])
