from typing import Any

import torch

import stnkit

from . import vectors


class Good(vectors.Vector, stnkit.Network):
    def __init__(self, in_shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        self.make(in_shape, n_classes)

    def forward(self, image):
        return self.vector(image)


class NoConfig(Good):
    def __init__(self, in_shape: tuple[int, ...], n_classes: int, dtype: Any = vectors.ODD) -> None:
        super().__init__(in_shape, n_classes)


class Raises(vectors.Raises, Good): ...


class Rounds(vectors.Rounds, Good): ...


class Squeezes(vectors.Squeezes, Good): ...


class SqueezesVolumes(vectors.SqueezesVolumes, Good): ...


class Convolves(vectors.Convolves, Good): ...


class Blind(Good):
    """Its parameters learn, but nothing in front of it does."""

    def forward(self, image):
        return super().forward(image.detach())


class Jitters(vectors.Jitters, Good): ...


class Centers(vectors.Centers, Good): ...


class Widens(vectors.Widens, Good): ...


class HiddenState(vectors.HiddenState, Good): ...


class HoldsALambda(vectors.HoldsALambda, Good): ...


class NoCopy(vectors.NoCopy, Good): ...


class Branches(vectors.Branches, Good): ...


class StaysAtZero(Good):
    """Two layers of weights that are 0, one behind the other: neither ever learns."""

    def make(self, in_shape, width):
        super().make(in_shape, width)
        self.first, self.second = torch.nn.Linear(width, width, bias=False), torch.nn.Linear(width, width, bias=False)
        for layer in (self.first, self.second):
            torch.nn.init.zeros_(layer.weight)

    def vector(self, image):
        found = super().vector(image)
        return found + self.second(self.first(found))


class BeginsAtZero(StaysAtZero):
    """No defect: the second layer learns, and then the first."""

    def make(self, in_shape, width):
        super().make(in_shape, width)
        torch.nn.init.eye_(self.first.weight)
        torch.nn.init.zeros_(self.layers[1].bias)

    def vector(self, image):
        return self.second(self.first(self.layers(image)))


class Transforms(Good):
    """No defect: it contains a transformer, whose head begins at 0."""

    def make(self, in_shape, width):
        if len(in_shape) != 3:
            raise stnkit.errors.InputError("it takes images of two dimensions")
        super().make(in_shape, width)
        localizer = stnkit.build("localizer", "fully_connected", in_shape=in_shape)
        family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
        self.inner = stnkit.SpatialTransformer(localizer, family, sampler)

    def vector(self, image):
        return super().vector(self.inner(image))


class HandsOn(Good):
    """It hands the image on, and does nothing else."""

    gives_image = True

    def make(self, in_shape, width):
        pass

    def vector(self, image):
        return image


class Promises(Good):
    """It gives logits where it promises the image."""

    gives_image = True

    def make(self, in_shape, width):
        if len(in_shape) != 3:
            raise stnkit.errors.InputError("it takes images of two dimensions")
        super().make(in_shape, width)


BROKEN = {
    "construction": Raises,
    "config": NoConfig,
    "unchanged_arguments": Rounds,
    "logits": Squeezes,
    "dimensions": SqueezesVolumes,
    "too_small_input": Convolves,
    "gradients": Blind,
    "deterministic_in_eval": Jitters,
    "batch_independence": Centers,
    "dtype_and_device": Widens,
    "state_dict": HiddenState,
    "pickled": HoldsALambda,
    "deep_copied": NoCopy,
    "compiled": Branches,
}
ALSO_BROKEN = {Promises: "logits", StaysAtZero: "gradients"}
