"""Random projective maps."""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

import stnkit

# The center of the distorted image has w = 1. Where w is at least this in all of it, nothing in it is shrunk to less
# than a tenth of the center's size across the direction to the horizon, a hundredth along it, and no pixel has its
# source near infinity.
SMALLEST_W = 0.1
# The corners of an image as columns (x, y, 1), in the order of pixels.
CORNERS = torch.tensor([[-1, 1, -1, 1], [-1, -1, 1, 1], [1, 1, 1, 1]], dtype=torch.float64)


class Projective(stnkit.WarpDistortion):
    """The paper's P: scale U(0.75, 1), then each corner of the image moved by N(0, 5 pixels) along x and y.

    T_θ is the homography that takes the moved corners back to those of the original, (±1, ±1). Moves that fold or
    mirror the image, or bring the horizon into the distorted one, are drawn anew for the same scale: 14 % of them
    at 28×28, so that the moves that remain have a standard deviation of 4.8 pixels.

    Args:
        image_shape: (C, H, W) of the images; the program supplies it.
        scale: smallest and largest scale, 0.1 to 10.
        corner_std: standard deviation of a corner's move in pixels, from 0 to half of the image's smaller side.

    Raises:
        InputError: when an option is out of its range.

    Source: Jaderberg et al. 2015, section 4.1 and appendix A.4.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        scale: tuple[float, float] = (0.75, 1.0),
        corner_std: float = 5.0,
    ) -> None:
        # Within these bounds a draw that can be kept is never long in coming.
        if not 0.1 <= scale[0] <= scale[1] <= 10:
            raise stnkit.errors.InputError(
                f"scale must be two rising numbers between 0.1 and 10, but {list(scale)} was given"
            )
        if len(image_shape) != 3:
            raise stnkit.errors.InputError(
                f"it distorts images of shape (C, H, W), but image_shape is {list(image_shape)}"
            )
        # Beyond half of a side most draws fold the image, and those that remain are not what the option says.
        if not 0 <= corner_std <= min(image_shape[1:]) / 2:
            raise stnkit.errors.InputError(
                f"corner_std must be between 0 and half of the smaller side, {min(image_shape[1:]) / 2}, "
                f"but {corner_std} was given"
            )
        self._homography: stnkit.MatrixFamily = stnkit.build("transform", "projective")
        self._corners: stnkit.MatrixFamily = stnkit.build("transform", "homography4")
        super().__init__(self._homography, stnkit.build("sampler", "bilinear"), image_shape[1:])
        self.scale = scale
        self.corner_std = corner_std

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        scale = stnkit.distortions.uniform(n, *self.scale, generator)
        height, width = self.out_size
        pixel = torch.tensor([[2 / width], [2 / height]], dtype=torch.float64)
        theta = torch.empty(n, self.family.n_params, dtype=torch.float64)
        left = torch.arange(n)
        while len(left) > 0:
            moves = torch.randn(len(left), 2, 4, generator=generator, dtype=torch.float64)
            drawn, kept = self._theta(scale[left], moves * self.corner_std * pixel)
            theta[left[kept]] = drawn[kept]
            left = left[~kept]
        return theta.float()

    def _theta(
        self, scale: Float[Tensor, "n"], moves: Float[Tensor, "n 2 corners"]
    ) -> tuple[Float[Tensor, "n P"], Bool[Tensor, "n"]]:
        """θ for the moves of the corners, planar, in normalized units, and which of them are kept."""
        # The map of the original onto the moved corners; homography4 takes displacements.
        displacements = (scale[:, None, None] - 1) * CORNERS[:2] + moves
        matrix = self._corners.matrix(displacements.flatten(start_dim=1))
        # The original in front of its horizon at all four corners: the moved ones form a convex quadrilateral.
        convex = ((matrix[:, 2:] @ CORNERS).amin(dim=(1, 2)) > 0) & (torch.linalg.det(matrix) > 0)
        inverse, failed = torch.linalg.inv_ex(matrix)
        w = (inverse[:, 2:] @ CORNERS).amin(dim=(1, 2))
        kept = convex & (failed == 0) & (inverse[:, 2, 2] > 0) & (w >= SMALLEST_W * inverse[:, 2, 2])
        return self._homography.from_matrix(inverse), kept


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("projective", Projective)
