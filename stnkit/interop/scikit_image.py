"""scikit-image: `skimage.transform.warp` with a matrix, a transform object or a map of coordinates.

scikit-image counts pixels from their centers, x first in matrices and in callables, as `pixel_matrix` does, and rows
first in maps of coordinates. With `order=1`, `clip=False` and a mode of `MODES` pictures agree with stnkit within
1e-14 of their range, also at the border. `clip=True`, the default, lifts a border that is blended with zeros to the
darkest pixel of the image, unless a pixel of the output is all zeros. The modes are those of `numpy.pad`: `reflect` is
stnkit's mirror, `symmetric` its reflection.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float64
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families import TransformFamily
from stnkit.families.given import check_family
from stnkit.interop.matrices import affine_rows
from stnkit.interop.pixels import as_array, matrix_between, pixel_map, pixels_of
from stnkit.interop.thetas import as_matrices, theta_of_pixel_map, theta_of_pixel_matrix
from stnkit.numpy_arrays import as_tensor

# Padding of stnkit: mode of scikit-image. `fill` is constant with cval.
MODES = {
    "zeros": "constant",
    "fill": "constant",
    "border": "edge",
    "reflection": "symmetric",
    "mirror": "reflect",
    "circular": "wrap",
}
PointMap = Callable[[np.ndarray], np.ndarray]


def affine_transform(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[np.ndarray, "B rows rows"]:
    """M of affine maps: `warp(image, AffineTransform(matrix=M), output_shape=out_size, clip=False)`.

    Also for `EuclideanTransform` and `SimilarityTransform` where M is one of these, in two and three dimensions.

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
        >>> stnkit.interop.scikit_image.affine_transform(family, family.identity()[None], (4, 9), (4, 3))[0].tolist()
        [[3.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    matrix = matrix_between(family, theta, in_size, out_size, "scikit_image.coordinate_map")
    affine_rows(matrix, "scikit_image.projective_transform")
    return as_array(matrix)


def projective_transform(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[np.ndarray, "B rows rows"]:
    """M: `warp(image, ProjectiveTransform(matrix=M), output_shape=out_size, clip=False)`, or M itself.

    Points behind the horizon are shown mirrored, where stnkit and `coordinate_map` read outside of the image.

    Args:
        family: of matrices.
        theta: one row of parameters for each matrix.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when the family is not one of matrices.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "projective")
        >>> stnkit.interop.scikit_image.projective_transform(family, family.identity()[None], (4, 9), (4, 3))[0, 0]
        array([3., 0., 1.])
    """
    return as_array(matrix_between(family, theta, in_size, out_size, "scikit_image.coordinate_map"))


def coordinate_map(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[np.ndarray, "B ndim *out_size"]:
    """Pixel indices, rows first: `warp(image, coordinates[0], clip=False)`.

    Args:
        family: any.
        theta: one row of parameters for each map.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when θ or a size has the wrong shape.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "tps")
        >>> stnkit.interop.scikit_image.coordinate_map(family, family.identity()[None], (4, 9), (1, 3)).shape
        (1, 2, 1, 3)
    """
    return np.ascontiguousarray(np.moveaxis(pixel_map(family, theta, in_size, out_size)[..., ::-1], -1, 1))


def in_pixels(transform: PointMap, in_size: Sequence[int], out_size: Sequence[int]) -> PointMap:
    """N_in⁻¹ ∘ t ∘ N_out: a map of normalized points as the `inverse_map` of `warp`, of points in pixels.

    For a `ThinPlateSplineTransform` from the control points of a family to θ, which `warp` would take to be in pixels.
    A spline that is estimated in pixels is another one where the output is not square: by up to 1.8 pixels at 30 × 120.

    Args:
        transform: takes and returns points (N, 2), x first.
        in_size: (H, W) of the image that is read.
        out_size: (H, W) of the output.

    Raises:
        InputError: when a size is not two whole numbers; the map, when t gives no points for points.

    Example:
        >>> import numpy as np, stnkit
        >>> stnkit.interop.scikit_image.in_pixels(lambda points: points, (4, 9), (4, 3))(np.array([[0, 0], [2, 3]]))
        array([[1., 0.],
               [7., 3.]])
    """
    inward = as_array(pixels_of(in_size, 2))
    outward = np.linalg.inv(as_array(pixels_of(out_size, 2)))

    def in_pixels_of_images(points: np.ndarray) -> np.ndarray:
        return _mapped(inward, as_array(_result(transform, _mapped(outward, points))))

    return in_pixels_of_images


def theta_of_transform(
    family: TransformFamily,
    transform: Any,
    in_size: Sequence[int],
    out_size: Sequence[int],
    tolerance: float = 0.1,
) -> Float64[Tensor, "B P"]:
    """The θ of a transform of scikit-image, output → input as `warp` takes it.

    Args:
        family: one that holds the map.
        transform: an object with a matrix `params`, such as `ProjectiveTransform`; the matrix itself; or any callable
            of points in pixels, such as `ThinPlateSplineTransform`, whose θ is a fit.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.
        tolerance: in pixels, the largest distance of a fit.

    Raises:
        InputError: when the matrix has the wrong shape, the callable gives no points for points, or the family does
            not hold the map.

    Example:
        >>> import numpy as np, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.scikit_image.theta_of_transform(family, np.eye(3), (4, 8), (4, 8))
        tensor([[0., 0.]], dtype=torch.float64)
    """
    check_family(family)
    # The homogeneous matrix of a transform; those of a polynomial, which are one row for each coordinate, are none.
    matrix: Any = getattr(transform, "params", None) if callable(transform) else transform
    square = isinstance(matrix, np.ndarray) and matrix.shape == (family.ndim + 1,) * 2
    if isinstance(transform, Tensor | np.ndarray) or square:
        return theta_of_pixel_matrix(family, as_matrices(matrix, family.ndim), in_size, out_size)
    if not callable(transform):
        raise InputError(f"transform: expected a transform, a matrix or a callable, got {type(transform).__name__}")
    size = coordinates.check_size(out_size, family.ndim)
    points = np.stack(np.meshgrid(*[np.arange(float(n)) for n in size], indexing="ij")[::-1], axis=-1)
    mapped = _result(transform, points.reshape(-1, family.ndim))
    return theta_of_pixel_map(family, mapped.reshape(points.shape), in_size, tolerance)


def _result(transform: PointMap, points: np.ndarray) -> Tensor:
    made = transform(points)
    try:
        mapped = as_tensor("transform", made if isinstance(made, Tensor) else np.asarray(made))
    except (InputError, ValueError):  # rows of several lengths
        raise InputError(f"transform: expected a map to points, got one to {type(made).__name__}") from None
    if mapped.shape != points.shape:
        raise InputError(f"transform: expected a map to points of shape {points.shape}, got {tuple(mapped.shape)}")
    return mapped


def _mapped(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:2, :2].T + matrix[:2, 2]
