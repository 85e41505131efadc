from typing import Any

import torch

import stnkit

SPLITS = ("train", "validation", "test")


class Good(stnkit.Dataset):
    """Noise of three classes."""

    n_classes = 3
    image_shape = (1, 6, 5)

    def split(self, name):
        if name not in SPLITS:
            raise stnkit.errors.InputError(f"expected a split of {SPLITS}, got {name!r}")
        return self.drawn(torch.Generator().manual_seed(SPLITS.index(name)))

    def drawn(self, generator):
        images = torch.randint(0, 256, (12, 1, 6, 5), generator=generator, dtype=torch.uint8)
        return images, torch.arange(12) % 3


class Raises(Good):
    def __init__(self) -> None:
        raise KeyError("no such thing")


class NoConfig(Good):
    def __init__(self, dtype: Any = torch.float32) -> None: ...


class OtherShape(Good):
    image_shape = (1, 5, 6)


class Floats(Good):
    def split(self, name):
        images, labels = super().split(name)
        return images / 255, labels


class FromOne(Good):
    def split(self, name):
        images, labels = super().split(name)
        return images, labels + 1


class Leaks(Good):
    def split(self, name):
        return super().split("train" if name == "test" else name)


class Shuffles(Good):
    def drawn(self, generator):
        return super().drawn(None)


class Lenient(Good):
    def split(self, name):
        return super().split(name if name in SPLITS else "test")


class Absent(Good):
    """Its files are not here."""

    def split(self, name):
        raise stnkit.errors.DataError("nowhere/images is missing")


BROKEN = {
    "construction": Raises,
    "config": NoConfig,
    "shapes": OtherShape,
    "dtypes": Floats,
    "labels_in_range": FromOne,
    "disjoint_splits": Leaks,
    "determinism": Shuffles,
    "unknown_split": Lenient,
}
