"""θ of a map of pixels by a fit to a regular selection of them."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families import TransformFamily
from stnkit.families.correspondences.least_squares import UndeterminedError

# Pixels on each axis that a fit takes, at least and at most, by number of dimensions; in between two for each
# parameter of the axis. With all of 1000 × 1500 pixels a spline of 144 functions would need gigabytes.
SAMPLES = {2: (32, 128), 3: (12, 32)}
# Of a lattice, whose functions are 0 at most points, each axis has two for each of its points, whatever their number.
FOR_A_POINT = 2
# Pixels times entries of θ up to which a fit takes more pixels if the first ones leave θ undetermined: 128 MB for each
# coordinate of its dense system.
LARGEST = 2**24


def fit_to_selection(
    family: TransformFamily, source: Float64[Tensor, "B *size ndim"], weights: Float64[Tensor, "B *size"]
) -> Float64[Tensor, "B P"]:
    """The θ nearest to some of the pixels; to more of them if these do not determine it.

    Args:
        family: that is fitted.
        source: the points that the pixels of the output are taken from, normalized; any number where the weight is 0.
        weights: of the pixels.

    Raises:
        InputError: when the pixels do not determine θ.

    Example:
        >>> import torch, stnkit
        >>> from stnkit.interop.selected_pixels import fit_to_selection
        >>> family = stnkit.build("transform", "translation")
        >>> source = stnkit.coordinates.lattice((4, 8), dtype=torch.float64)[None] + 1
        >>> fit_to_selection(family, source, torch.ones(1, 4, 8, dtype=torch.float64)).round(decimals=6)
        tensor([[1., 1.]], dtype=torch.float64)
    """
    size = tuple(source.shape[1:-1])
    target = coordinates.lattice(size, dtype=torch.float64)
    counts = _counts(family, size)
    while True:
        chosen: tuple[Tensor, ...] = torch.meshgrid(*map(_regular, size, counts), indexing="ij")
        of_each: tuple[slice | Tensor, ...] = (slice(None), *chosen)
        points = target[chosen].flatten(end_dim=-2)[None]
        images, of_images = source[of_each].flatten(1, -2), weights[of_each].flatten(1)
        try:
            return family.fit(points, images, of_images).detach()
        except InputError as error:
            more = tuple(min(n, 2 * m) for n, m in zip(size, counts, strict=True))
            if not _is_of_points(error) or more == counts or math.prod(more) * family.n_params > LARGEST:
                raise
            counts = more


def _counts(family: TransformFamily, size: Sequence[int]) -> tuple[int, ...]:
    """The number of pixels that the first fit takes along each axis."""
    fewest, most = SAMPLES[family.ndim]
    of_axis = (max(family.n_params, 1) / family.ndim) ** (1 / family.ndim)
    alike = min(most, max(fewest, math.ceil(2 * of_axis)))
    # Of the family and of its parts: a stage may be a long lattice.
    shapes = [part.lattice_shape or () for part in family.modules() if isinstance(part, TransformFamily)]
    lattices = [(0,) * family.ndim, *(shape for shape in shapes if len(shape) == family.ndim)]
    longest = map(max, zip(*lattices, strict=True))
    return tuple(min(n, max(alike, FOR_A_POINT * points)) for n, points in zip(size, longest, strict=True))


def _is_of_points(error: BaseException | None) -> bool:
    """True for an error that says that points do not determine a map, of a family or of one that it is made of."""
    return error is not None and (isinstance(error, UndeterminedError) or _is_of_points(error.__cause__))


def _regular(n: int, count: int) -> Int64[Tensor, "count"]:
    """Indices of `count` of n pixels, the first and the last among them."""
    return torch.linspace(0, n - 1, count, dtype=torch.float64).round().long()
