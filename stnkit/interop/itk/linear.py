"""The matrices of ITK's linear transforms."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from stnkit.errors import InputError
from stnkit.interop.itk.geometry import affine_matrix
from stnkit.interop.itk.transform import Transform

NAME = "AffineTransform"

Values = Float[np.ndarray, "n"]
Fixed = Float[np.ndarray, "m"]
Vector = Float[np.ndarray, "d"]
Matrix = Float[np.ndarray, "d d"]


def affine_transform(matrix: Float[np.ndarray, "rows rows"]) -> Transform:
    """The AffineTransform with the center 0 of [A t; 0 1]: A row by row, then t.

    Args:
        matrix: from physical points of the fixed image to those of the moving one.
    """
    ndim = len(matrix) - 1
    parameters = np.concatenate([matrix[:-1, :-1].ravel(), matrix[:-1, -1]])
    return Transform(NAME, ndim, parameters, np.zeros(ndim))


def is_linear(transform: Transform) -> bool:
    """True for a transform that `matrix_of` knows.

    Args:
        transform: any.
    """
    return (transform.name, transform.ndim) in _FORMS


def matrix_of(transform: Transform) -> Float[np.ndarray, "rows rows"]:
    """[A t; 0 1] of x ↦ A (x − c) + c + s, with A and s of the parameters and c the first fixed parameters.

    Args:
        transform: that `is_linear`.

    Raises:
        InputError: when it has another number of parameters than its class.
    """
    n_parameters, form = _FORMS[transform.name, transform.ndim]
    if len(transform.parameters) != n_parameters:
        told = f"{len(transform.parameters)}"
        raise InputError(f"{transform.type_name}: expected {n_parameters} parameters, got {told}")
    linear, shift = form(transform.parameters, transform.fixed_parameters)
    center = np.zeros(transform.ndim)
    given = transform.fixed_parameters[: transform.ndim]
    center[: len(given)] = given
    return affine_matrix(linear, shift + center - linear @ center)


def _turn(angle: float) -> Matrix:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _turn_about(axis: int, angle: float) -> Matrix:
    matrix = np.eye(3)
    # The two other axes in cyclic order: y turns z into x.
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[np.ix_((first, second), (first, second))] = _turn(angle)
    return matrix


def _euler(p: Values, fixed: Fixed) -> tuple[Matrix, Vector]:
    x, y, z = (_turn_about(axis, p[axis]) for axis in range(3))
    # The fourth fixed parameter is ITK's ComputeZYX.
    in_order_zyx = len(fixed) > 3 and fixed[3] != 0
    return (z @ y @ x if in_order_zyx else z @ x @ y), p[3:]


def _versor(v: Values) -> Matrix:
    """The rotation of a unit quaternion whose vector part is v and whose scalar part is not negative."""
    x, y, z = v
    w = np.sqrt(max(0.0, 1 - v @ v))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


def _scale_versor(p: Values, _: Fixed) -> tuple[Matrix, Vector]:
    # A sum: ITK adds the scales and the skews to the rotation.
    linear = _versor(p[:3]) + np.diag(p[6:9] - 1)
    if len(p) > 9:
        linear[~np.eye(3, dtype=bool)] += p[9:]
    return linear, p[3:6]


def _composed_scale_skew_versor(p: Values, _: Fixed) -> tuple[Matrix, Vector]:
    skew = np.eye(3)
    skew[np.triu_indices(3, 1)] = p[9:]
    return _versor(p[:3]) @ np.diag(p[6:9]) @ skew, p[3:6]


Form = tuple[int, Callable[[Values, Fixed], tuple[Matrix, Vector]]]


def _of_any_dimension(ndim: int) -> dict[tuple[str, int], Form]:
    n = ndim * (ndim + 1)
    return {
        ("IdentityTransform", ndim): (0, lambda _, __: (np.eye(ndim), np.zeros(ndim))),
        ("TranslationTransform", ndim): (ndim, lambda p, _: (np.eye(ndim), p)),
        ("ScaleTransform", ndim): (ndim, lambda p, _: (np.diag(p), np.zeros(ndim))),
        (NAME, ndim): (n, lambda p, _: (p[:-ndim].reshape(ndim, ndim), p[-ndim:])),
        ("MatrixOffsetTransformBase", ndim): (n, lambda p, _: (p[:-ndim].reshape(ndim, ndim), p[-ndim:])),
    }


# Class and number of dimensions: number of parameters, and A and s of them and of the fixed parameters.
_FORMS: dict[tuple[str, int], Form] = {
    **_of_any_dimension(2),
    **_of_any_dimension(3),
    ("Euler2DTransform", 2): (3, lambda p, _: (_turn(p[0]), p[1:])),
    ("Rigid2DTransform", 2): (3, lambda p, _: (_turn(p[0]), p[1:])),
    ("Similarity2DTransform", 2): (4, lambda p, _: (p[0] * _turn(p[1]), p[2:])),
    ("Euler3DTransform", 3): (6, _euler),
    ("VersorTransform", 3): (3, lambda p, _: (_versor(p), np.zeros(3))),
    ("VersorRigid3DTransform", 3): (6, lambda p, _: (_versor(p[:3]), p[3:])),
    ("Similarity3DTransform", 3): (7, lambda p, _: (p[6] * _versor(p[:3]), p[3:6])),
    ("ScaleVersor3DTransform", 3): (9, _scale_versor),
    ("ScaleSkewVersor3DTransform", 3): (15, _scale_versor),
    ("ComposeScaleSkewVersor3DTransform", 3): (12, _composed_scale_skew_versor),
}
