"""θ of the maps of other tools: of matrices between pixel indices."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64, Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families import MatrixFamily, TransformFamily


def theta_of_pixel_matrix(
    family: TransformFamily,
    matrix: Shaped[Tensor | np.ndarray, "*batch rows columns"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[Tensor, "B P"]:
    """The θ of N_in · M · N_out⁻¹: the inverse of `pixel_matrix`.

    Args:
        family: of matrices.
        matrix: M, output → input in pixel indices, x first; one or a batch, without the last row where it is 0 … 0 1.
            A factor has no influence.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        DoesNotComposeError: when the family gives no θ of a matrix.
        InputError: when the family is not one of matrices or does not hold this one, or the matrix has the wrong shape.

    Example:
        >>> import numpy as np, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.theta_of_pixel_matrix(family, np.array([[1, 0, 4], [0, 1, 0]]), (4, 8), (4, 8))
        tensor([[1., 0.]], dtype=torch.float64)
    """
    if not isinstance(family, MatrixFamily):
        raise InputError(f"family: expected one of matrices, got {type(family).__name__}")
    return family.from_matrix(coordinates.normalized_matrix(as_matrices(matrix, family.ndim), in_size, out_size))


def as_matrices(
    matrix: Shaped[Tensor | np.ndarray, "*batch rows columns"], ndim: int
) -> Float64[Tensor, "B rows_of_all rows_of_all"]:
    """Homogeneous matrices of one or a batch, of an array or a tensor, with or without the last row.

    Args:
        matrix: with ndim or ndim + 1 rows.
        ndim: number of dimensions.

    Raises:
        InputError: when it is neither an array nor a tensor, or has another shape.

    Example:
        >>> import numpy as np, stnkit
        >>> stnkit.interop.thetas.as_matrices(np.eye(2, 3), 2).tolist()
        [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]
    """
    if not isinstance(matrix, Tensor | np.ndarray):
        raise InputError(f"matrix: expected a tensor or an array of NumPy, got {type(matrix).__name__}")
    given = torch.as_tensor(matrix).double()
    if given.ndim not in (2, 3) or given.shape[-1] != ndim + 1 or given.shape[-2] not in (ndim, ndim + 1):
        rows, columns = f"{ndim} or {ndim + 1}", ndim + 1
        raise InputError(f"matrix: expected {rows} rows and {columns} columns, got shape {tuple(given.shape)}")
    given = given if given.ndim == 3 else given[None]
    return given if given.shape[1] == ndim + 1 else coordinates.with_last_row(given)
