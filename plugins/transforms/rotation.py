"""Rotations about the center of the image."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Rotation(stnkit.families.MatrixFamily):
    """T_θ(p) = S⁻¹ R S p, with R = [cos θ, −sin θ; sin θ, cos θ] and S = diag(aspect, 1), or R = exp([θ]×) in 3-D.

    θ is [angle], in radians. As y points down, T_θ turns the sampling points clockwise for a positive angle, and the
    image is seen to turn counter-clockwise. In volumes θ is [rx, ry, rz], the axis times the angle; [0, 0, angle] turns
    each slice as an image. The identity is 0. `compose` gives angles from −π to π.

    S takes normalized units to units that are equally long on all axes, S = diag(aspect) in volumes: with equal sides
    that is so in a square image, and in any other one the pixels would be sheared. With the aspect of the images
    rotations are rigid in pixels, with physical sides (voxels times their spacing) in millimeters. Input and output
    are taken to have the same aspect.

    Args:
        aspect: width / height of the images in pixels, 0.001 to 1000; the sides [width, height, depth] of volumes, in
            voxels or any other unit; by default those of `in_shape`, else equal sides.
        ndim: number of dimensions, 2 (1 parameter) or 3 (3 parameters).
        in_shape: (C, H, W) of the images, (C, D, H, W) of volumes; in a network the program supplies it.

    Raises:
        InputError: when `aspect` or `ndim` is out of its range.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "rotation")
        >>> family.compose(torch.tensor([[0.5]]), torch.tensor([[0.25]]))
        tensor([[0.7500]])

    Source: Rodrigues' formula.
    """

    affine = True

    def __init__(
        self, aspect: float | list[float] | None = None, ndim: int = 2, in_shape: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        self.n_params = 1 if ndim == 2 else 3
        self.aspect, self.options_from_images = stnkit.families.chosen_aspect(aspect, in_shape, ndim)

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.n_params, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        return stnkit.families.rotation_rows(theta, self.aspect)

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        return stnkit.families.rotation_log(matrix[:, :-1, :-1], self.aspect)[0]

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """The nearest rotation in units of the image, then Gauss–Newton steps in normalized ones."""
        start = stnkit.families.procrustes(target, source, weights, self.aspect)
        return stnkit.families.gauss_newton(self, self._from_matrix(start), target, source, weights)

    def extra_repr(self) -> str:
        return f"aspect={self.aspect}"


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("rotation", Rotation)
