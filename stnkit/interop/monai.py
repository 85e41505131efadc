"""MONAI: the layers `AffineTransform` and `Warp`, and the transforms `Affine` and `SpatialResample`.

MONAI's matrices have the first axis first. The layers take tensors, in the dtype of θ and differentiable in it.
Pictures of the layers agree with stnkit within 1e-13 of their range, also at the border; those of the transforms, which
compute in float32, within 1e-5. MONAI's reflection, the default of `Affine`, is about edges as stnkit's, where
`align_corners=False`; in `Warp` it is about centers, stnkit's mirror.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families import TransformFamily
from stnkit.families.given import check_family
from stnkit.interop.matrices import affine_rows, inverted
from stnkit.interop.pixels import as_array, as_theta, matrix_between, normalized_matrix_of
from stnkit.interop.rounding import spacing
from stnkit.interop.thetas import as_matrices, theta_of_pixel_matrix, theta_of_stored_map
from stnkit.interop.world_affines import in_plane, in_space_of
from stnkit.numpy_arrays import as_tensor


def affine_layer(family: TransformFamily, theta: Float[Tensor | np.ndarray, "B P"]) -> Float[Tensor, "B rows rows"]:
    """R·A·R, with R the reversal of the axes: for `AffineTransform(out_size, normalized=True, align_corners=False)`.

    Args:
        family: of affine matrices.
        theta: one row of parameters for each matrix.

    Raises:
        InputError: when the maps are not affine.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.monai.affine_layer(family, torch.tensor([[0.5, 0.0]]))[0, :, 2]
        tensor([0.0000, 0.5000, 1.0000])
    """
    dtype = coordinates.coordinate_dtype(as_theta(theta).dtype)
    matrix = normalized_matrix_of(family, theta, "monai.warp_field")
    affine_rows(matrix, "monai.warp_field")
    return _reversed(matrix).to(dtype)


def affine(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[np.ndarray, "B rows rows"]:
    """R·C_in⁻¹·M·C_out·R, with C the shift to the center of an image and R the reversal of the axes.

    `Affine(affine=matrix[0], spatial_size=out_size, padding_mode="zeros", image_only=True)(image)`

    The padding is reflection by default, and `align_corners` False, which it stays. MONAI takes an axis of one pixel
    for one of two: beside it, its picture fades half as fast as that of stnkit.

    Args:
        family: of affine matrices.
        theta: one row of parameters for each matrix.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when the maps are not affine.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> stnkit.interop.monai.affine(family, family.identity()[None], (4, 9), (4, 3))[0].tolist()
        [[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0]]
    """
    matrix = matrix_between(family, theta, in_size, out_size, "monai.warp_field").detach().cpu()
    affine_rows(matrix, "monai.warp_field")
    return as_array(_reversed(_from_center(in_size, family.ndim, -1) @ matrix @ _from_center(out_size, family.ndim, 1)))


def warp_field(
    family: TransformFamily, theta: Float[Tensor | np.ndarray, "B P"], size: Sequence[int]
) -> Float[Tensor, "B ndim *size"]:
    """The displacement in pixels, first axis first: `Warp(padding_mode="zeros")(image, field)`.

    MONAI's field has the size of the image, and so has the output.

    Args:
        family: any.
        theta: one row of parameters for each map.
        size: of the image and the output, (H, W) or (D, H, W).

    Raises:
        InputError: when θ or the size has the wrong shape.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.monai.warp_field(family, torch.tensor([[0.5, 0.0]]), (4, 8))[0, :, 0, 0]
        tensor([0., 2.])
    """
    check_family(family)
    grid = family.grid(as_theta(theta), size)
    moved = grid - coordinates.lattice(size, dtype=grid.dtype, device=grid.device)
    half = torch.tensor(tuple(size)[::-1], dtype=grid.dtype, device=grid.device) / 2
    return (moved * half).flip(-1).movedim(-1, 1)


def resampled_affine(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
    affine: Shaped[Tensor | np.ndarray, "rows_of_all rows_of_all"],
) -> Float64[np.ndarray, "B rows_of_all rows_of_all"]:
    """S·R·M·R: the affine of the output in the world in which S is that of the image, of any spacing and direction.

    `SpatialResample(padding_mode="zeros")(image, dst_affine=affine[0], spatial_size=out_size)`

    Args:
        family: of affine matrices.
        theta: one row of parameters for each matrix.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.
        affine: S, the homogeneous matrix of the image, voxel → world, first axis first. In two dimensions also 4×4,
            as a MetaTensor has it, where its third axis is apart from the others; so is then the result.

    Raises:
        InputError: when the maps are not affine, S has another shape, or it mixes a third axis with the others of a
            family of two dimensions.

    Example:
        >>> import numpy as np, stnkit
        >>> family, spacing = stnkit.build("transform", "affine"), np.diag([0.5, 2.0, 1.0])
        >>> stnkit.interop.monai.resampled_affine(family, family.identity()[None], (4, 9), (4, 3), spacing)[0].tolist()
        [[0.5, 0.0, 0.0], [0.0, 6.0, 2.0], [0.0, 0.0, 1.0]]
    """
    matrix = matrix_between(family, theta, in_size, out_size, "monai.warp_field").detach().cpu()
    affine_rows(matrix, "monai.warp_field")
    target = in_plane("affine", affine, family.ndim).cpu() @ _reversed(matrix)
    return as_array(in_space_of(target, affine))


def theta_of_affines(
    family: TransformFamily,
    affine: Shaped[Tensor | np.ndarray, "*batch rows columns"],
    out_affine: Shaped[Tensor | np.ndarray, "*out_batch out_rows out_columns"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[Tensor, "B P"]:
    """The θ of R·S_in⁻¹·S_out·R: it shows the image on the voxels of another one, as `ResampleToMatch` does.

    Args:
        family: one that holds the map.
        affine: S_in, voxel → world of the image that is read, first axis first, one or a batch. In two dimensions also
            4×4, as a MetaTensor has it, where its third axis is apart from the others.
        out_affine: S_out, that of the other image, likewise.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the other one.

    Raises:
        InputError: when a matrix has the wrong shape or no inverse, or mixes a third axis with the others of a family
            of two dimensions, or the family does not hold the map.

    Example:
        >>> import numpy as np, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> spacing, moved = np.diag([1.0, 0.5, 1.0]), np.array([[1, 0, 0], [0, 0.5, 2]])
        >>> stnkit.interop.monai.theta_of_affines(family, spacing, moved, (4, 8), (4, 8))
        tensor([[1., 0.]], dtype=torch.float64)
    """
    check_family(family)
    matrix = inverted(in_plane("affine", affine, family.ndim)) @ in_plane("out_affine", out_affine, family.ndim)
    return theta_of_pixel_matrix(family, _reversed(matrix), in_size, out_size)


def theta_of_affine(
    family: TransformFamily,
    matrix: Shaped[Tensor | np.ndarray, "*batch rows columns"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[Tensor, "B P"]:
    """The θ of the option `affine` of `Affine`, about the centers of the images.

    Args:
        family: one that holds the map.
        matrix: one or a batch, with or without the last row, first axis first.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when the matrix has the wrong shape, or is no map of the family.

    Example:
        >>> import numpy as np, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.monai.theta_of_affine(family, np.array([[1, 0, 0], [0, 1, 4]]), (4, 8), (4, 8))
        tensor([[1., 0.]], dtype=torch.float64)
    """
    check_family(family)
    centered = _reversed(as_matrices(matrix, family.ndim))
    pixels = _from_center(in_size, family.ndim, 1) @ centered @ _from_center(out_size, family.ndim, -1)
    return theta_of_pixel_matrix(family, pixels, in_size, out_size)


def theta_of_voxel_matrix(
    family: TransformFamily,
    matrix: Shaped[Tensor | np.ndarray, "*batch rows columns"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[Tensor, "B P"]:
    """The θ of R·M·R: of the matrix that `Affine` returns beside the image, which is about the first voxel.

    Given back as the option `affine` it would be another map. It is also the affine of a MetaTensor whose affine was
    the identity.

    Args:
        family: one that holds the map.
        matrix: one or a batch, with or without the last row, first axis first. In two dimensions also 4×4, as a
            MetaTensor has it, where its third axis is apart from the others.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when the matrix has the wrong shape, or is no map of the family.

    Example:
        >>> import numpy as np, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.monai.theta_of_voxel_matrix(family, np.array([[1, 0, 0], [0, 1, 4]]), (4, 8), (4, 8))
        tensor([[1., 0.]], dtype=torch.float64)
    """
    check_family(family)
    return theta_of_pixel_matrix(family, _reversed(in_plane("matrix", matrix, family.ndim)), in_size, out_size)


def theta_of_field(
    family: TransformFamily, field: Float[Tensor | np.ndarray, "B ndim *size"], tolerance: float = 0.1
) -> Float64[Tensor, "B P"]:
    """The θ of the displacement field of `Warp`, by `family.fit`.

    Args:
        family: one that holds the map.
        field: in pixels, first axis first.
        tolerance: in pixels, the largest distance from the map that is given.

    Raises:
        InputError: when the field has the wrong shape, or the nearest map of the family is farther away.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> field = stnkit.interop.monai.warp_field(family, torch.tensor([[0.5, 0.0]]), (4, 8))
        >>> stnkit.interop.monai.theta_of_field(family, field).round(decimals=6)
        tensor([[0.5000, 0.0000]], dtype=torch.float64)
    """
    check_family(family)
    given = as_tensor("field", field).detach().cpu()
    if given.ndim != family.ndim + 2 or given.shape[1] != family.ndim:
        raise InputError(f"field: expected shape (B, {family.ndim}, *size), got {tuple(given.shape)}")
    size = tuple(given.shape[2:])
    lattice = coordinates.to_pixels(coordinates.lattice(size, dtype=torch.float64), size)
    moved = given.movedim(1, -1).flip(-1)
    return theta_of_stored_map(family, moved + lattice, spacing(moved), size, tolerance, given.dtype)


def _reversed(matrix: Tensor) -> Tensor:
    """R·M·R: the other order of the axes."""
    ndim = matrix.shape[-1] - 1
    order = [*reversed(range(ndim)), ndim]
    return matrix[..., order, :][..., order]


def _from_center(size: Sequence[int], ndim: int, sign: int) -> Float64[Tensor, "rows rows"]:
    """The shift by ±(n − 1)/2: +1 from indices about the center to those about the first pixel."""
    extent = torch.tensor(coordinates.check_size(size, ndim)[::-1], dtype=torch.float64)
    matrix = torch.eye(len(extent) + 1, dtype=torch.float64)
    matrix[:-1, -1] = sign * (extent - 1) / 2
    return matrix
