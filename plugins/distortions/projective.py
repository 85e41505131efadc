"""Random projective maps."""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

import stnkit

# Smallest w in the distorted image, relative to w = 1 in its center. Then no part is shrunk to less than a tenth of the
# center's scale across the direction to the horizon and a hundredth along it, and no source is near infinity.
SMALLEST_W = 0.1
# Pixels in an image whose smaller side has 28, as the paper's have.
_CORNER_STD = 5.0
# The corners of an image as columns (x, y, 1), row by row.
CORNERS = torch.tensor([[-1, 1, -1, 1], [-1, -1, 1, 1], [1, 1, 1, 1]], dtype=torch.float64)


class Projective(stnkit.distortions.WarpDistortion):
    """The paper's P: scale U(0.75, 1), then each corner of the image moved by N(0, 5 of 28 pixels) along x and y.

    T_θ is the homography that takes the moved corners back to those of the original, (±1, ±1). Draws that fold or
    mirror the image, or bring the horizon into the distorted one, are rejected and drawn again for the same scale:
    14 % of them at 28×28, so that the accepted moves have a standard deviation of 4.8 pixels.

    Args:
        image_shape: (C, H, W) of the images; the program supplies it.
        scale: smallest and largest scale, 0.1 to 10.
        corner_std: standard deviation of a corner's move in pixels, from 0 to half of the image's smaller side; null
            for 5 pixels where that side has 28, and in proportion.
        padding: value outside of the image: zeros, border (the nearest pixel), or a color, a number from 0 to 1 or a
            list of one for each channel.

    Raises:
        InputError: when an option is out of its range, or images are not of two dimensions.

    Example:
        >>> import torch, stnkit
        >>> projective = stnkit.build("distortion", "projective", image_shape=(1, 28, 28), corner_std=2.0)
        >>> projective.sample(3, torch.Generator().manual_seed(0)).shape
        torch.Size([3, 8])

    Source: Jaderberg et al. 2015, section 4.1 and appendix A.4.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        scale: tuple[float, float] = (0.75, 1.0),
        corner_std: float | None = None,
        padding: str | float | list[float] = "zeros",
    ) -> None:
        # Within these bounds few draws are rejected, so the loop in `sample` ends soon.
        if not 0.1 <= scale[0] <= scale[1] <= 10:
            raise stnkit.errors.InputError(f"scale: expected two rising numbers between 0.1 and 10, got {list(scale)}")
        size = stnkit.distortions.planar_size(image_shape)
        if corner_std is None:
            corner_std = _CORNER_STD * min(size) / 28
        # Beyond half of a side most draws fold the image, and the accepted ones have a much smaller deviation.
        if not 0 <= corner_std <= min(size) / 2:
            raise stnkit.errors.InputError(
                f"corner_std: expected 0 to {min(size) / 2}, half of the smaller side, got {corner_std}"
            )
        self._homography: stnkit.families.MatrixFamily = stnkit.build("transform", "projective")
        self._corners: stnkit.families.MatrixFamily = stnkit.build("transform", "homography4")
        sampler = stnkit.build("sampler", "bilinear", **stnkit.distortions.sampler_padding(padding, image_shape))
        super().__init__(self._homography, sampler, size)
        self.scale = scale
        self.corner_std = corner_std

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        scale = stnkit.distortions.uniform(n, *self.scale, generator)
        height, width = self.out_size
        pixel = torch.tensor([[2 / width], [2 / height]], dtype=torch.float64)
        theta = torch.empty(n, self.family.n_params, dtype=torch.float64)
        missing = torch.arange(n)
        while len(missing) > 0:
            moves = torch.randn(len(missing), 2, 4, generator=generator, dtype=torch.float64)
            drawn, accepted = self._theta(scale[missing], moves * self.corner_std * pixel)
            theta[missing[accepted]] = drawn[accepted]
            missing = missing[~accepted]
        return theta.float()

    def milder(self) -> "Projective":
        ratio = (self.scale[1] / self.scale[0]) ** 0.25
        return Projective((1, *self.out_size), (1 / ratio, ratio), self.corner_std / 2)

    def _theta(
        self, scale: Float[Tensor, "n"], moves: Float[Tensor, "n 2 corners"]
    ) -> tuple[Float[Tensor, "n P"], Bool[Tensor, "n"]]:
        """θ for the moves of the corners in normalized units, and the mask of those that are accepted."""
        # The map of the original onto the moved corners; homography4 takes displacements.
        displacements = (scale[:, None, None] - 1) * CORNERS[:2] + moves
        matrix = self._corners.matrix(displacements.flatten(start_dim=1))
        # w > 0 at all four corners of the original: the moved ones form a convex quadrilateral.
        convex = ((matrix[:, 2:] @ CORNERS).amin(dim=(1, 2)) > 0) & (torch.linalg.det(matrix) > 0)
        inverse, failed = torch.linalg.inv_ex(matrix)
        w = (inverse[:, 2:] @ CORNERS).amin(dim=(1, 2))
        accepted = convex & (failed == 0) & (inverse[:, 2, 2] > 0) & (w >= SMALLEST_W * inverse[:, 2, 2])
        # A rejected draw may have no θ: its center lies behind the horizon.
        drawn = torch.where(accepted[:, None, None], inverse, torch.eye(3, dtype=torch.float64))
        return self._homography.from_matrix(drawn), accepted


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("projective", Projective)
