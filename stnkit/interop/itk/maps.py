"""Points through ITK's transforms, in NumPy."""

from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from stnkit.errors import InputError
from stnkit.interop.itk.chain import chain_of
from stnkit.interop.itk.geometry import Geometry, transformed
from stnkit.interop.itk.lattices import lattice_of
from stnkit.interop.itk.linear import is_linear, matrix_of
from stnkit.interop.itk.transform import Chain
from stnkit.interop.pixels import as_array
from stnkit.numpy_arrays import as_tensor


def chain_matrix(chain: Chain, ndim: int) -> Float[np.ndarray, "rows rows"]:
    """The product of the matrices of linear transforms, of which the last acts first.

    Args:
        chain: of linear transforms; none for the identity.
        ndim: number of dimensions.
    """
    matrix = np.eye(ndim + 1)
    for each in chain:
        matrix = matrix @ matrix_of(each)
    return matrix


def physical_matrix(transform: Any) -> Float[np.ndarray, "rows rows"]:
    """The matrix from physical points of the fixed image to those of the moving one, homogeneous, of linear transforms.

    ITK's physical points are LPS: x to the left, y to the back, z up. With L = diag(−1, −1, 1, 1) the matrix between
    RAS points, as of NIfTI, nitransforms and TorchIO, is L M L.

    Args:
        transform: a `Transform`, a sequence of them of which the last acts first, or a transform of SimpleITK.

    Raises:
        InputError: for a transform that is not linear.

    Example:
        >>> import numpy as np
        >>> from stnkit.interop import itk
        >>> turn = itk.Transform("AffineTransform", 2, np.array([0.0, -1, 1, 0, 5, 0]), np.array([1.0, 1.0]))
        >>> itk.physical_matrix(turn).tolist()
        [[0.0, -1.0, 7.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    chain = chain_of(transform)
    for each in chain:
        if not is_linear(each):
            raise InputError(f"expected linear transforms, got {each.type_name}")
    return chain_matrix(chain, chain[0].ndim)


def mapped(chain: Chain, points: Float[np.ndarray, "N d"]) -> Float[np.ndarray, "N d"]:
    """The image of physical points: the last transform acts first.

    Args:
        chain: of transforms.
        points: of the fixed image's space.

    Raises:
        InputError: for a transform that is neither linear nor a B-spline nor a displacement field.
    """
    for each in reversed(chain):
        lattice = lattice_of(each)
        if lattice is not None:
            points = lattice(points)
        elif is_linear(each):
            points = transformed(matrix_of(each), points)
        else:
            raise InputError(f"expected linear transforms, B-splines and displacement fields, got {each.type_name}")
    return points


def source_points(
    transform: Any, points: Float[Tensor | np.ndarray, "N d"], moving: Geometry, fixed: Geometry
) -> Float[np.ndarray, "N d"]:
    """G(moving)⁻¹ T(G(fixed) p): the normalized source points that ITK reads for normalized target points.

    Args:
        transform: a `Transform`, a sequence of them of which the last acts first, or a transform of SimpleITK.
        points: p, normalized, x first.
        moving: of the image that is read.
        fixed: of the output.

    Raises:
        InputError: for a transform that is neither linear nor a B-spline nor a displacement field, for other numbers
            of dimensions than those of the geometries, and for points of another shape.

    Example:
        >>> import numpy as np
        >>> from stnkit.interop import itk
        >>> shift = itk.Transform("TranslationTransform", 2, np.array([3.0, 0.0]), np.array([]))
        >>> image = itk.Geometry((12, 4))
        >>> itk.source_points(shift, np.zeros((1, 2)), image, image).round(12).tolist()
        [[0.5, 0.0]]
    """
    chain = chain_of(transform)
    check_dimensions(chain[0].ndim, moving=moving, fixed=fixed)
    ndim = chain[0].ndim
    given = as_array(as_tensor("points", points))
    if given.ndim != 2 or given.shape[1] != ndim:
        raise InputError(f"points: expected shape (N, {ndim}), got {given.shape}")
    physical = transformed(fixed.normalized_to_physical, given)
    return transformed(np.linalg.inv(moving.normalized_to_physical), mapped(chain, physical))


def check_dimensions(ndim: int, **geometries: Geometry) -> None:
    """Raise an InputError unless all are geometries of `ndim` dimensions.

    Args:
        ndim: of the transform.
        geometries: by their names, for the message.

    Raises:
        InputError: when one has another number.
    """
    for name, geometry in geometries.items():
        if not isinstance(geometry, Geometry):
            raise InputError(f"{name}: expected a Geometry, got {type(geometry).__name__}")
        if geometry.ndim != ndim:
            raise InputError(f"{name}: expected a geometry of {ndim} dimensions, got one of {geometry.ndim}")
