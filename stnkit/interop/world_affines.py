"""Affines of images, voxel → world, in their own dimensions: those of pictures have a third axis too in MONAI."""

import numpy as np
import torch
from jaxtyping import Float64, Shaped
from torch import Tensor

from stnkit.errors import InputError
from stnkit.interop.thetas import as_matrices
from stnkit.numpy_arrays import as_tensor

# Of a homogeneous matrix of three dimensions, what concerns the first two axes.
PLANE = [0, 1, 3]


def in_plane(
    name: str, affine: Shaped[Tensor | np.ndarray, "*batch rows columns"], ndim: int
) -> Float64[Tensor, "B rows_of_all rows_of_all"]:
    """Homogeneous matrices of `ndim` dimensions; of a 4×4 one in two dimensions that of the first two axes.

    Args:
        name: of the argument, for the message.
        affine: one or a batch.
        ndim: number of dimensions.

    Raises:
        InputError: when it has another shape, or mixes the third axis with the first two.

    Example:
        >>> import numpy as np, stnkit
        >>> stnkit.interop.world_affines.in_plane("affine", np.diag([2.0, 3.0, 5.0, 1.0]), 2)[0].diag().tolist()
        [2.0, 3.0, 1.0]
    """
    matrix = as_tensor(name, affine).double()
    if ndim != 2 or matrix.ndim not in (2, 3) or matrix.shape[-2:] != (4, 4):
        return as_matrices(matrix, ndim)
    if bool(matrix[..., :2, 2].any() | matrix[..., 2:, :2].any() | matrix[..., 3, 2].any()):
        raise InputError(f"{name}: expected a third axis apart from the other two, got one that is mixed with them")
    return as_matrices(matrix[..., PLANE, :][..., PLANE], 2)


def in_space_of(
    plane: Float64[Tensor, "B rows rows"], affine: Shaped[Tensor | np.ndarray, "*batch rows_of_all columns"]
) -> Float64[Tensor, "B rows_of_all rows_of_all"]:
    """The matrices with the third axis of an affine, if it has one more than they.

    Args:
        plane: homogeneous, in the dimensions of the image.
        affine: as `in_plane` takes it.

    Example:
        >>> import numpy as np, torch, stnkit
        >>> matrix = torch.eye(3, dtype=torch.float64)[None]
        >>> stnkit.interop.world_affines.in_space_of(matrix, np.diag([2.0, 3.0, 5.0, 1.0]))[0].diag().tolist()
        [1.0, 1.0, 5.0, 1.0]
    """
    if plane.shape[-1] == 4 or affine.shape[-1] == 3:
        return plane
    space = as_tensor("affine", affine).to(plane).expand(len(plane), 4, 4).clone()
    index = torch.tensor(PLANE, device=plane.device)
    space[:, index[:, None], index] = plane
    return space
