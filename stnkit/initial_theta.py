"""The θ from which training starts: given number by number, or as the window of the image that is shown at first."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import DoesNotComposeError, InputError
from stnkit.families.family import TransformFamily
from stnkit.families.matrix import MatrixFamily
from stnkit.finite_numbers import is_finite_number

# A numeric θ counts as found if no point of the output is off by more: a thousandth of a pixel at 1000.
TOLERANCE = 1e-6
# Smallest number of points along an axis at which the map is that of the window.
POINTS = 13

TransformInit = Sequence[float] | Mapping[str, Any] | Tensor | np.ndarray


def initial_theta(
    family: TransformFamily, init: TransformInit | None, name: str | None = None
) -> Float[Tensor, "P"] | None:
    """The θ that `init` describes, in float64; None for the identity.

    Args:
        family: whose θ it is.
        init: P numbers; or a window {"zoom": z, "center": [x, y]}, T_θ(p) = p / z + center, in normalized units, with
            defaults 1 and 0; or None.
        name: of the family in messages; that of its class by default.

    Raises:
        InputError: when it is not of that form, has another number of parameters, or no θ of the family shows the
            window.

    Example:
        >>> import stnkit
        >>> from stnkit.initial_theta import initial_theta
        >>> initial_theta(stnkit.build("transform", "affine"), {"zoom": 2, "center": [0.5, 0]}).tolist()
        [0.5, 0.0, 0.5, 0.0, 0.5, 0.0]
    """
    if init is None:
        return None
    name = name or type(family).__name__
    if isinstance(init, Mapping):
        return _of_window(family, init, name)
    values = init.tolist() if isinstance(init, Tensor | np.ndarray) else init
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InputError(f"transform_init: expected numbers, or a mapping with zoom and center, got {init!r}")
    if len(values) != family.n_params or not all(map(is_finite_number, values)):
        got = f"{len(values)}" if all(map(is_finite_number, values)) else f"{list(values)}"
        raise InputError(f"transform_init: expected {family.n_params} finite numbers, the θ of {name}, got {got}")
    return _finite(torch.tensor([*map(float, values)], dtype=torch.float64), "numbers", list(values))


def _finite(theta: Tensor, expected: str, got: object) -> Float[Tensor, "P"]:
    """θ, if it is finite in float32 too, in which it is trained."""
    if not bool(torch.isfinite(theta.float()).all()):
        raise InputError(f"transform_init: expected {expected} whose θ is finite in float32, got {got}")
    return theta


def _of_window(family: TransformFamily, window: Mapping[str, Any], name: str) -> Float[Tensor, "P"]:
    ndim = family.ndim
    if family.is_chart:
        raise InputError(
            f"transform_init: expected {family.n_params} numbers for {name}, a chart, which shows no window, got "
            f"{dict(window)}"
        )
    if unknown := [key for key in window if key not in ("zoom", "center")]:
        raise InputError(f"transform_init: expected a mapping with zoom and center, got {unknown[0]!r}")
    zoom, center = window.get("zoom", 1.0), window.get("center", [0.0] * ndim)
    if not is_finite_number(zoom) or zoom <= 0:
        raise InputError(f"transform_init: zoom: expected a finite number above 0, got {zoom!r}")
    if not isinstance(center, Sequence) or len(center) != ndim or not all(map(is_finite_number, center)):
        raise InputError(f"transform_init: center: expected {ndim} finite numbers, got {center!r}")
    matrix = torch.eye(ndim + 1, dtype=torch.float64)
    matrix[:ndim, :ndim] /= float(zoom)
    matrix[:ndim, ndim] = torch.tensor([*map(float, center)], dtype=torch.float64)
    theta = _of_matrix(family, matrix) if isinstance(family, MatrixFamily) else _nearest(family, matrix)
    if theta is None:
        raise InputError(f"transform_init: expected a window that {name} can show, got {dict(window)}")
    return _finite(theta, "a window", dict(window))


def _of_matrix(family: MatrixFamily, matrix: Tensor) -> Float[Tensor, "P"] | None:
    try:
        return family.from_matrix(matrix[None])[0]
    except (InputError, DoesNotComposeError):
        return None


def _nearest(family: TransformFamily, matrix: Tensor) -> Float[Tensor, "P"] | None:
    """The θ whose map of a lattice of points is that of the matrix, or None if there is none."""
    n = math.ceil((family.n_params / family.ndim) ** (1 / family.ndim))
    # Two points along an axis for each control point determine θ; it takes more where these are close to each other.
    for times in (2, 4, 8, 16):
        counts = [max(POINTS, times * count) for count in family.lattice_shape or (n,) * family.ndim]
        points, expected = _shown(matrix, counts)
        try:
            theta = family.fit(points, expected)[0].detach()
        except InputError:
            continue
        if not _is_near(family(theta[None], points), expected):
            return None
        between, expected = _shown(matrix, [2 * count + 1 for count in counts])
        if _is_near(family(theta[None], between), expected):
            return theta
    return None


def _shown(matrix: Tensor, counts: Sequence[int]) -> tuple[Float[Tensor, "1 N ndim"], Float[Tensor, "1 N ndim"]]:
    """Points of a lattice and their images under an affine matrix."""
    points = coordinates.lattice(counts, dtype=torch.float64).view(1, -1, len(counts))
    return points, points @ matrix[:-1, :-1].T + matrix[:-1, -1]


def _is_near(points: Tensor, expected: Tensor) -> bool:
    return bool((points - expected).abs().max() < TOLERANCE)
