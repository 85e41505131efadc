"""Aspects: the images that a rotation of their stretched view would shear."""

from collections.abc import Iterable, Sequence

from stnkit.experiments.rectification.rectifier import Rectifier
from stnkit.experiments.rectification.table import Row
from stnkit.families.family import TransformFamily
from stnkit.packing.fitting import Fit

# Ratio up to which two aspects count as one: the sides of a thumbnail are rounded to whole pixels.
_SAME = 1.02


def n_sheared(rectifier: Rectifier, rows: Iterable[Row]) -> int:
    """The number of images of another aspect than the network's view, where rotations are rigid in the latter alone.

    Such a family has an `aspect`. An image that was cropped or padded for the localizer has the right one.

    Args:
        rectifier: of the run.
        rows: of the images.
    """
    if rectifier.view.fit is not Fit.stretch:
        return 0
    # A chart, such as log-polar coordinates, has an aspect too, and is no rotation.
    aspects = [_aspects(each.family) for each in rectifier.transformers if not each.family.is_chart]
    rigid = [[rectifier.view.in_shape[1:], *chosen] for chosen in aspects if chosen]
    images = {(row.file, row.index): row.in_size for row in rows if row.in_size}
    return sum(any(not any(_alike(size, each) for each in sizes) for sizes in rigid) for size in images.values())


def _aspects(family: TransformFamily) -> list[tuple[float, ...]]:
    """Sizes in whose pixels the family, or a stage of it, is rigid; those of volumes may be in another unit."""
    found: list[tuple[float, ...]] = []
    for module in family.modules():
        aspect = getattr(module, "aspect", None)
        sides = (aspect, 1) if isinstance(aspect, int | float) else aspect if isinstance(aspect, Sequence) else ()
        # A family of a plugin may keep something else by that name.
        if len(sides) == family.ndim and all(isinstance(side, int | float) and side > 0 for side in sides):
            found.append(tuple(map(float, sides[::-1])))
    return found


def _alike(size: Sequence[float], other: Sequence[float]) -> bool:
    ratios = [n / of_other for n, of_other in zip(size, other, strict=True)]
    return max(ratios) <= _SAME * min(ratios)
