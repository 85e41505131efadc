"""ImageShapes: the typical shapes of images that a component takes, of two dimensions, of three, or of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stnkit.distortions import Distortion
from stnkit.errors import InputError, one_line
from stnkit.testing.assertions import LONGEST_REASON, NotApplicable, NotBuilt
from stnkit.testing.inputs import uniform

Shape = tuple[int, ...]

# A component may refuse some of them, not all.
TYPICAL = [(1, 28, 28), (3, 40, 33), (2, 24, 32), (1, 60, 60), (1, 16, 16, 16)]
NAMES = {2: "images", 3: "volumes"}


@dataclass(frozen=True)
class ImageShapes:
    """The shapes that a component takes, and the reason why it takes others not.

    Args:
        taken: (C, *size) of each.
        refused: the first reason for each number of dimensions of which it takes none.
    """

    taken: list[Shape]
    refused: dict[int, str]

    @property
    def main(self) -> list[Shape]:
        """The images that it takes; the volumes, if it takes no images."""
        return [shape for shape in self.taken if len(shape) == len(self.taken[0])]

    @property
    def others(self) -> list[Shape]:
        """The volumes, if it takes images too.

        Raises:
            NotApplicable: with the reason why it takes one of the two only.
        """
        if others := [shape for shape in self.taken if len(shape) != len(self.taken[0])]:
            return others
        ndim = len(self.taken[0]) - 1
        if reason := self.refused.get(5 - ndim):
            raise NotApplicable(f"it takes {NAMES[ndim]} only: {reason}")
        raise NotApplicable(f"it is checked for {NAMES[ndim]} of {list(self.taken[0])} only")


def find_image_shapes(shapes: Sequence[Shape], make: Callable[[Shape], Any]) -> ImageShapes:
    """The shapes for which a component can be built.

    A component for images need not refuse volumes when it is built, and one for volumes not images: where it works for
    the one and for none of the other, it takes none of the other.

    Args:
        shapes: (C, *size) of each.
        make: gives the component for a shape, and raises an InputError where it refuses that.

    Raises:
        NotBuilt: when it refuses all, or raises another error for a shape of a number of dimensions that it takes.
    """
    taken: list[Shape] = []
    reasons: dict[int, str] = {}
    errors: dict[int, NotBuilt] = {}
    working = set()
    for shape in shapes:
        ndim = len(shape) - 1
        try:
            component = make(shape)
        except InputError as error:
            reasons.setdefault(ndim, str(error))
            continue
        except NotBuilt as not_built:
            reasons.setdefault(ndim, str(not_built))
            errors.setdefault(ndim, not_built)
            continue
        taken.append(shape)
        try:
            _use(component, shape)
        except Exception as error:
            reasons.setdefault(ndim, one_line(error, LONGEST_REASON))
        else:
            working.add(ndim)
    if working:
        taken = [shape for shape in taken if len(shape) - 1 in working]
        errors = {ndim: first for ndim, first in errors.items() if ndim in working}
    for first in errors.values():
        raise first
    if not taken:
        refused = ", ".join(str(list(shape)) for shape in shapes)
        raise NotBuilt(f"it refuses images of {refused}: {next(iter(reasons.values()))}")
    return ImageShapes(taken, {ndim: reason for ndim, reason in reasons.items() if ndim not in working})


def images_of(shape: Shape, batch: int = 3, seed: int = 6) -> Tensor:
    """Images with values in [0, 1]."""
    return ((uniform(batch, *shape, seed=seed) + 1) / 2).float()


def _use(component: Any, shape: Shape) -> None:
    images = images_of(shape, batch=5)  # no typical number of channels: a layer may take a batch for one volume
    if isinstance(component, Distortion):
        generator = torch.Generator().manual_seed(0)
        component.apply(images, component.sample(len(images), generator), generator)
    else:
        component.eval()(images)
