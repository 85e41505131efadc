"""Euclidean maps: rotation and translation."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Euclidean(stnkit.families.MatrixFamily):
    """T_θ(p) = S⁻¹ R S p + t, with R = [cos α, −sin α; sin α, cos α] and S = diag(aspect, 1): all rigid motions.

    θ is [α, tx, ty]: the angle in radians and the translation in normalized units. As y points down, T_θ turns the
    sampling points clockwise for a positive angle, and the image is seen to turn counter-clockwise. In volumes θ is
    [rx, ry, rz, tx, ty, tz] and R = exp([r]×), with the axis times the angle r. The identity is 0. `compose` gives
    angles from −π to π.

    S takes normalized units to units that are equally long on all axes, S = diag(aspect) in volumes: with equal sides
    that is so in a square image, and in any other one the pixels would be sheared. With the aspect of the images
    maps are rigid in pixels, with physical sides (voxels times their spacing) in millimeters. Input and output are
    taken to have the same aspect.

    Args:
        aspect: width / height of the images in pixels, 0.001 to 1000; the sides [width, height, depth] of volumes, in
            voxels or any other unit; by default those of `in_shape`, else equal sides.
        ndim: number of dimensions, 2 (3 parameters) or 3 (6 parameters).
        in_shape: (C, H, W) of the images, (C, D, H, W) of volumes; in a network the program supplies it.

    Raises:
        InputError: when `aspect` or `ndim` is out of its range.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "euclidean")
        >>> family.inverse(torch.tensor([[0.0, 0.5, 0.25]]), torch.zeros(1, 1, 2))
        tensor([[[-0.5000, -0.2500]]])

    Source: Rodrigues' formula.
    """

    affine = True

    def __init__(
        self, aspect: float | list[float] | None = None, ndim: int = 2, in_shape: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        self.n_params = 3 if ndim == 2 else 6
        self.aspect, self.options_from_images = stnkit.families.chosen_aspect(aspect, in_shape, ndim)

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.n_params, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        turn, shift = stnkit.families.split_theta(theta, [self.n_params - self.ndim, self.ndim])
        return stnkit.families.rotation_rows(turn, self.aspect, shift=shift)

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        turn, _ = stnkit.families.rotation_log(matrix[:, :-1, :-1], self.aspect)
        return torch.cat([turn, matrix[:, :-1, -1]], dim=-1)

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """The nearest rotation in units of the image, then Gauss–Newton steps in normalized ones."""
        start = stnkit.families.procrustes(target, source, weights, self.aspect, shifted=True)
        return stnkit.families.gauss_newton(self, self._from_matrix(start), target, source, weights)

    def extra_repr(self) -> str:
        return f"aspect={self.aspect}"


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("euclidean", Euclidean)
