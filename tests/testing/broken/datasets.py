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


class Differentiable(Good):
    def split(self, name):
        images, labels = super().split(name)
        return (images / 255).requires_grad_(), labels


class Sparse(Good):
    def split(self, name):
        images, labels = super().split(name)
        return images.to_sparse(), labels


class Arrays(Good):
    def split(self, name):
        images, labels = super().split(name)
        return images.numpy(), labels.numpy()


class Meta(Good):
    def split(self, name):
        images, labels = super().split(name)
        return images.to("meta"), labels


class OtherShape(Good):
    image_shape = (1, 5, 6)


class WholeNumbers(Good):
    def split(self, name):
        images, labels = super().split(name)
        return images.int(), labels


class NarrowLabels(Good):
    def split(self, name):
        images, labels = super().split(name)
        return images, labels.int()


class MixedTypes(Good):
    def split(self, name):
        images, labels = super().split(name)
        return (images / 255 if name == "test" else images), labels


class MixedTargets(Good):
    def split(self, name):
        images, labels = super().split(name)
        return images, labels[:, None].repeat(1, 2 if name == "test" else 3)


class TwoNames(Good):
    class_names = ("circle", "square")


class NoText(Good):
    class_names = ("circle", "square", 3)


class OddPair(Good):
    pair = True


class UnsurePair(Good):
    pair = None


class OtherTarget(Good):
    target_shape = (1,)


class TargetCount(Good):
    target_shape = 1


class NotFinite(Good):
    """Floating-point images as they must not be."""

    def split(self, name):
        images, labels = super().split(name)
        return (images / 255).index_fill(2, torch.tensor(3), torch.nan), labels


class Floats(Good):
    """Floating-point images, taken as they are."""

    class_names = ("circle", "square", "ring")

    def split(self, name):
        images, labels = super().split(name)
        return images.double() - 5, labels


class Targets(Good):
    """Targets that are no labels."""

    n_classes = 0
    target_shape = (1,)

    def split(self, name):
        images, labels = super().split(name)
        return images, labels[:, None] / 2


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
    "class_names": TwoNames,
    "pair": OddPair,
    "config": NoConfig,
    "form": Differentiable,
    "shapes": OtherShape,
    "target_shape": OtherTarget,
    "dtypes": WholeNumbers,
    "finite_values": NotFinite,
    "labels_in_range": FromOne,
    "disjoint_splits": Leaks,
    "determinism": Shuffles,
    "unknown_split": Lenient,
}
ALSO_BROKEN = {
    Sparse: "form",
    Arrays: "form",
    Meta: "form",
    NarrowLabels: "dtypes",
    MixedTypes: "dtypes",
    MixedTargets: "shapes",
    NoText: "class_names",
    UnsurePair: "pair",
    TargetCount: "target_shape",
}
