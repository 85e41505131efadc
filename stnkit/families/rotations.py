"""Rotations in two and three dimensions: the exponential map of a rotation vector, and its logarithm."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.portable import split_theta

# Coefficients of φ²ᵏ in sin φ / φ and in (1 − cos φ) / φ², and of sin²ᵏ in arcsin(s) / s. Below the squares named after
# them the quotients lose digits in their derivatives, and the series are exact in float64.
SINC = (1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800, 1 / 6227020800)
VERSINE = (1 / 2, -1 / 24, 1 / 720, -1 / 40320, 1 / 3628800, -1 / 479001600, 1 / 87178291200)
SMALL_ANGLE = 0.25
ARCSINE = (1, 1 / 6, 3 / 40, 15 / 336, 105 / 3456, 945 / 42240)
SMALL_SINE = 1e-3


def rotation_rows(
    vector: Float[Tensor, "B V"],
    aspect: float | Sequence[float],
    scale: Float[Tensor, "B 1"] | None = None,
    shift: Float[Tensor, "B ndim"] | None = None,
) -> Float[Tensor, "B ndim columns"]:
    """[s S⁻¹ R S | t] with R = exp([r]×), the first rows of a homogeneous matrix; differentiable everywhere.

    [r]× is the matrix of the cross product with r. In two dimensions R = [cos α, −sin α; sin α, cos α].

    Args:
        vector: r, the axis times the angle in radians, (B, 3); in two dimensions the angle α, (B, 1).
        aspect: of S: the three sides of the volumes, S = diag(aspect); in two dimensions a number, S = diag(aspect, 1).
        scale: s; 1 by default.
        shift: t; 0 by default.

    Example:
        >>> import torch
        >>> rotation_rows(torch.zeros(1, 3), (1.0, 1.0, 2.0))[0]
        tensor([[1., 0., 0., 0.],
                [0., 1., 0., 0.],
                [0., 0., 1., 0.]])

    Source: Rodrigues' formula, I + (sin φ / φ) [r]× + ((1 − cos φ) / φ²) [r]×² with φ = ‖r‖.
    """
    if not isinstance(aspect, Sequence):
        cos, sin = torch.cos(vector), torch.sin(vector)
        if scale is not None:
            cos, sin = scale * cos, scale * sin
        tx, ty = (torch.zeros_like(cos),) * 2 if shift is None else split_theta(shift, [1, 1])
        return torch.cat([cos, sin / -aspect, tx, sin * aspect, cos, ty], dim=1).view(-1, 2, 3)
    linear = _exponential(vector) * vector.new_tensor([[side / other for side in aspect] for other in aspect])
    if scale is not None:
        linear = scale[..., None] * linear
    last = torch.zeros_like(linear[..., :1]) if shift is None else shift[..., None]
    return torch.cat([linear, last], dim=-1)


def rotation_log(
    linear: Float[Tensor, "B ndim ndim"], aspect: float | Sequence[float]
) -> tuple[Float[Tensor, "B V"], Float[Tensor, "B 1"]]:
    """The rotation vector r, ‖r‖ ≤ π, and the scale s of a matrix s S⁻¹ R S with s > 0; any numbers for another one.

    Exact and with a finite gradient for all angles; at π itself r and −r are the same rotation.

    Args:
        linear: the matrix.
        aspect: of S, as in `rotation_rows`.

    Source: Bar-Itzhack 2000, New method for extracting the quaternion from a rotation matrix; Shepperd 1978.
    """
    if not isinstance(aspect, Sequence):
        cos, sin = linear[:, :1, 0], linear[:, 1:, 0] / aspect
        return torch.atan2(sin, cos), torch.hypot(cos, sin)
    rotation = linear * linear.new_tensor([[other / side for side in aspect] for other in aspect])
    scale = (rotation.square().sum(dim=(1, 2)) / 3).sqrt()
    quaternion = _quaternion(rotation, scale)
    w, axis = quaternion[:, :1], quaternion[:, 1:]
    squared = axis.square().sum(dim=1, keepdim=True)
    small = squared < SMALL_SINE
    sine = torch.where(small, 1.0, squared).sqrt()
    half_angle = torch.where(small, _series(ARCSINE, squared), torch.atan2(sine, w) / sine)
    return 2 * half_angle * axis, scale[:, None]


def _exponential(vector: Float[Tensor, "B 3"]) -> Float[Tensor, "B 3 3"]:
    # In float64, in which the square of a large float32 is finite and its angle exact.
    x, y, z = vector.double().unbind(dim=-1)
    squared = x * x + y * y + z * z
    small = squared < SMALL_ANGLE
    # `where` makes NaN of an infinite gradient: that of a root at 0, or of a series at a large number.
    low, high = torch.where(small, squared, 0.0), torch.where(small, 1.0, squared)
    angle = high.sqrt()
    a = torch.where(small, _series(SINC, low), angle.sin() / angle)
    b = torch.where(small, _series(VERSINE, low), (1 - angle.cos()) / high)
    ax, ay, az, bx, by, bz = a * x, a * y, a * z, b * x, b * y, b * z
    entries = [
        1 - by * y - bz * z, bx * y - az, bx * z + ay,
        bx * y + az, 1 - bx * x - bz * z, by * z - ax,
        bx * z - ay, by * z + ax, 1 - bx * x - by * y,
    ]  # fmt: skip
    return torch.stack(entries, dim=-1).view(-1, 3, 3).to(vector.dtype)


def _quaternion(rotation: Float[Tensor, "B 3 3"], scale: Float[Tensor, "B"]) -> Float[Tensor, "B 4"]:
    """(w, x, y, z) of unit norm with w ≥ 0, of a rotation times `scale`."""
    rows = [row.unbind(dim=-1) for row in rotation.unbind(dim=1)]
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rows
    wx, wy, wz, near_xy, near_xz, near_yz = zy - yz, xz - zx, yx - xy, xy + yx, xz + zx, yz + zy
    products = [
        scale + xx + yy + zz, wx, wy, wz,
        wx, scale + xx - yy - zz, near_xy, near_xz,
        wy, near_xy, scale - xx + yy - zz, near_yz,
        wz, near_xz, near_yz, scale - xx - yy + zz,
    ]  # fmt: skip
    # 4 s q qᵀ: every row is q times a factor, and the largest factor loses the fewest digits.
    outer = torch.stack(products, dim=-1).view(-1, 4, 4)
    largest = outer.detach().diagonal(dim1=1, dim2=2).argmax(dim=1)
    row = outer.gather(1, largest[:, None, None].expand(-1, 1, 4))[:, 0]
    sign = torch.where(row[:, :1] < 0, -1.0, 1.0)
    return sign * row / row.square().sum(dim=1, keepdim=True).sqrt()


def _series(coefficients: Sequence[float], x: Tensor) -> Tensor:
    total = torch.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total
