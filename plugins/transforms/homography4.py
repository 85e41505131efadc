"""Projective maps by the displacements of four corners."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# The corners of the output as (x, y, 1), in the order of pixels: top left, top right, bottom left and right.
CORNERS = [[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]]
# For each corner the triangle of the other three, in such an order that its area is positive unless mirrored: from
# its first corner to the other two.
TRIANGLES = [[1, 3, 2], [0, 3, 2], [0, 1, 3], [0, 1, 2]]
# Four corners whose largest triangle is smaller than this, for a spread of 1, lie on one line.
FLAT = 1e-12
# A divisor that leaves nothing, where division by infinity is no number.
HUGE = 1e30


class Homography4(stnkit.families.MatrixFamily):
    """T_θ(cᵢ) = cᵢ + dᵢ for the four corners cᵢ of the output, projective in between.

    θ is planar, [dx₀, dx₁, dx₂, dx₃, dy₀, dy₁, dy₂, dy₃], in normalized units; the corners are (−1, −1),
    (1, −1), (−1, 1), (1, 1), in the order of pixels: top left, top right, bottom left, bottom right. The
    identity is 0. Corners act up to 10⁴ from the center.

    No system is solved: M = ¼ Σᵢ wᵢ (cᵢ + dᵢ, 1) (cᵢ, 1)ᵀ, with wᵢ twice the signed area of the triangle of
    the three other source corners, divided by the largest of them. All wᵢ have one sign while the source
    corners form a convex quadrilateral; the sign of M puts the center of the output in front of the
    horizon, so that a mirrored quadrilateral mirrors the image. Under one that is not convex the horizon
    crosses the output, and points behind it have their source outside of the image. So does every point if
    all four source corners lie on one line. A composition that takes a corner farther than 10⁴, or
    the center of the output behind the horizon, has no θ, and is NaN.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "homography4")
        >>> family(torch.full((1, 8), 0.5), torch.zeros(1, 1, 2))
        tensor([[[0.5000, 0.5000]]])

    Source: DeTone, Malisiewicz, Rabinovich 2016, Deep Image Homography Estimation, section 2, for θ; the
    square-to-quadrilateral map of Heckbert 1989, Fundamentals of Texture Mapping and Image Warping,
    section 2.2.3, here symmetric in the corners and without its division.
    """

    affine = False
    n_params = 8

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(8, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        if stnkit.families.is_scripted():
            return _scripted_rows(theta)
        corners, planar, sides = _constants(theta.device)
        far = stnkit.coordinates.OUTSIDE
        # In float64, as the areas are differences of products.
        source = stnkit.families.widened_sum(theta.view(-1, 2, 4), planar).clamp(-far, far)
        side = (source @ sides).view(-1, 4, 4)
        second_x, third_x, second_y, third_y = side.unbind(dim=1)
        weight = second_x * third_y - second_y * third_x
        largest = torch.linalg.vector_norm(weight, math.inf, dim=-1)
        spread = torch.linalg.vector_norm(side, math.inf, dim=(1, 2)).square()
        # Divided by infinity, a matrix is 0, and nothing is in front of its horizon.
        scale = torch.where(weight.sum(dim=-1) < 0, -largest, largest)
        scale = torch.where(largest > FLAT * spread, scale, torch.inf)
        weight = (weight / scale[:, None])[:, None]
        lifted = torch.cat([source * weight, weight], dim=1)
        return (lifted @ corners).to(theta.dtype) / 4

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        corners = _constants(matrix.device)[0].to(matrix).T
        lifted = matrix @ corners
        source, w = lifted[:, :2], lifted[:, 2:]
        exists = source.abs() < stnkit.coordinates.OUTSIDE * w.abs()
        # Mask zeros before the division, or their NaN gradients leak into the results that are used.
        source = torch.where(exists, source / torch.where(exists, w, 1.0), torch.nan)
        return (source - corners[:2]).flatten(start_dim=1)

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """The direct linear transform, then Gauss–Newton steps on the distances of the points."""
        start = self._from_matrix(stnkit.families.direct_linear_transform(target, source, weights))
        return stnkit.families.gauss_newton(self, start, target, source, weights)


def _scripted_rows(theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
    """The same in the dtype of θ and without comparisons, since ncnn has neither these nor conversions."""
    corners, planar, sides = _constants(theta.device, theta.dtype)
    far = stnkit.coordinates.OUTSIDE
    source = (theta.view(-1, 2, 4) + planar).clamp(-far, far)
    side = (source @ sides).view(-1, 4, 4)
    weight = side[:, 0] * side[:, 3] - side[:, 2] * side[:, 1]
    largest = weight.abs().amax(dim=1, keepdim=True)
    scale = stnkit.families.chosen(-weight.sum(dim=1, keepdim=True), -largest, largest)
    spread = side.abs().flatten(1).amax(dim=1, keepdim=True).square()
    weight = (weight / stnkit.families.chosen(largest - FLAT * spread, scale, HUGE))[:, None]
    return torch.cat([source * weight, weight], dim=1) @ corners / 4


@stnkit.families.cached
def _constants(device: torch.device, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """The corners, (4, 3) and planar (2, 4), and the matrix from source corners to the sides of all triangles, (4, 8).

    The sides from the first corner of each triangle to its second, then those to its third.
    """
    corners = torch.tensor(CORNERS, dtype=dtype, device=device)
    unit = torch.eye(4, dtype=dtype, device=device)
    first, second, third = unit[:, torch.tensor(TRIANGLES, device=device).T].unbind(dim=1)
    return corners, corners[:, :2].T.contiguous(), torch.cat([second - first, third - first], dim=1)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("homography4", Homography4)
