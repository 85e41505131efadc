from typing import Any

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
ALSO_BROKEN = {Promises: "logits"}
