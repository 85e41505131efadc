"""The matrices of maps that are such, whatever the class of their family."""

from jaxtyping import Float, Float64
from torch import Tensor

from stnkit import coordinates
from stnkit.families.family import TransformFamily
from stnkit.families.given import check_family
from stnkit.families.results import check_result


def matrix_form(family: TransformFamily, theta: Float[Tensor, "B P"]) -> Float64[Tensor, "B rows rows"] | None:
    """The homogeneous matrices of T_θ on [-1, 1], in the scale of `MatrixFamily.matrix`; None where there are none.

    Differentiable in θ.

    Args:
        family: any; of a MatrixFamily, and of one around such families, every map has a matrix.
        theta: one row of parameters for each element of the batch.

    Raises:
        InputError: when θ has the wrong shape or is not real, or the author's `_matrix_form` gives no such matrices.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "compose", stages=["scale", "translation"])
        >>> stnkit.families.matrix_form(family, family.identity()[None])[0, 0]
        tensor([1., 0., 0.], dtype=torch.float64)
    """
    check_family(family)
    theta = family.check_theta(theta).double()
    with coordinates.full_precision(theta):
        matrix = family._matrix_form(theta)
    if matrix is not None:
        check_result(family, "_matrix_form", matrix, (theta.shape[0], family.ndim + 1, family.ndim + 1))
        matrix = matrix.double()
    return matrix
