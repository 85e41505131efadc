"""Measures of a map from the output to the image: what lies outside, folds, and the matrix in pixels."""

import functools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.experiments.rectification.maps import ImageMap
from stnkit.families.matrix import MatrixFamily
from stnkit.families.matrix_form import matrix_form
from stnkit.families.regularity import determinant, folds
from stnkit.interop.matrices import to_edges
from stnkit.interop.pixels import matrix_between

# Points along each axis of a lattice that stands for a larger output: shares are then off by less than a percent.
LATTICE = {2: 128, 3: 32}


def shares(through: ImageMap, size: Sequence[int]) -> tuple[float, float]:
    """The shares of the output that are read outside of the image, and at which the map folds, 0 to 1.

    Args:
        through: of one image.
        size: of the output; a larger one than `LATTICE` is measured on a lattice of that size.
    """
    family, theta = through
    coarse = tuple(min(n, LATTICE[len(size)]) for n in size)
    # An axis at a time: a reduction over two neighbors takes several times as long.
    beyond = [values.abs() > 1 for values in family.grid(theta, coarse).unbind(dim=-1)]
    outside = functools.reduce(torch.logical_or, beyond).double().mean()
    if isinstance(family, MatrixFamily) and family.affine:  # the same everywhere
        linear = family.matrix(theta.double())[0, : family.ndim, : family.ndim]
        return float(outside), float(not determinant(linear) > 0)
    return float(outside), float(folds(family, theta, coarse)[0])


def pixel_matrices(
    through: ImageMap, in_size: Sequence[int], out_size: Sequence[int]
) -> dict[str, Float[Tensor, "rows rows"] | None]:
    """The matrix of a map between pixels, by the convention, in float64; empty for a family without matrices.

    A factor has no influence on a map: the last entry is 1 where it is not 0.

    Args:
        through: of one image.
        in_size: of the image, (H, W) or (D, H, W).
        out_size: of the output.

    Returns:
        `matrix_opencv_inverse`: pixel indices of the output ↦ those of the image, which warpAffine and warpPerspective
        take with WARP_INVERSE_MAP; `matrix_opencv`: its inverse, which they take without, None where it is singular;
        `matrix_pillow`: as the first, with pixel 0 from 0 to 1, as Image.transform has it.

    Example:
        >>> import torch, stnkit
        >>> from stnkit.experiments.rectification.maps import ImageMap
        >>> from stnkit.experiments.rectification.measures import pixel_matrices
        >>> family = stnkit.build("transform", "affine")
        >>> through = ImageMap(family, family.identity()[None])
        >>> pixel_matrices(through, (10, 20), (5, 10))["matrix_opencv_inverse"].tolist()
        [[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]]
    """
    if matrix_form(*through) is None:
        return {}
    matrices = matrix_between(*through, in_size, out_size)
    indices, from_edges = matrices[0], to_edges(matrices)[0]
    inverse, fault = torch.linalg.inv_ex(indices)
    singular = bool(fault) or not bool(inverse.isfinite().all())
    return {
        "matrix_opencv_inverse": _with_unit_last_entry(indices),
        "matrix_opencv": None if singular else _with_unit_last_entry(inverse),
        "matrix_pillow": _with_unit_last_entry(from_edges),
    }


def _with_unit_last_entry(matrix: Tensor) -> Tensor:
    last = matrix[-1, -1]
    return matrix / last if float(last) else matrix
