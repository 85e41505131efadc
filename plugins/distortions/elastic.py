"""Random elastic maps."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# Pixels in an image whose smaller side has 28, as the paper's have.
_STD = 1.5


class Elastic(stnkit.distortions.WarpDistortion):
    """The paper's E: scale U(0.75, 1), then the 4×4 control points of a spline move by N(0, 1.5 of 28 pixels).

    T_θ(p) = S(p)/s: the thin plate spline S takes control point c_k of the distorted image to c_k + d_k in the scaled
    one, which is the original at scale s. So θ_k = (c_k + d_k)/s, and the displacements d_k go from output to input, in
    pixels of the scaled image. Control points are a regular lattice over [-1, 1], ends included. At 28×28
    one spline in 170 folds somewhere; such draws are not rejected.

    Args:
        image_shape: (C, H, W) of the images; the program supplies it.
        scale: smallest and largest scale, above 0.
        std: standard deviation of a control point's displacement along x and y in pixels, 0 or more; null for 1.5
            pixels where the smaller side has 28, and in proportion.
        control_points: rows and columns of the lattice, each at least 2; null is [4, 4].
        padding: value outside of the image: zeros, border (the nearest pixel), or a color, a number from 0 to 1 or a
            list of one for each channel.

    Raises:
        InputError: when an option is out of its range, or images are not of two dimensions.

    Example:
        >>> import torch, stnkit
        >>> elastic = stnkit.build("distortion", "elastic", image_shape=(1, 28, 28), std=0.5)
        >>> elastic.sample(3, torch.Generator().manual_seed(0)).shape
        torch.Size([3, 32])

    Source: Jaderberg et al. 2015, section 4.1 and appendix A.4.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        scale: tuple[float, float] = (0.75, 1.0),
        std: float | None = None,
        control_points: list[int] | None = None,
        padding: str | float | list[float] = "zeros",
    ) -> None:
        if not 0 < scale[0] <= scale[1] < math.inf:
            raise stnkit.errors.InputError(f"scale: expected two rising finite numbers above 0, got {list(scale)}")
        size = stnkit.distortions.planar_size(image_shape)
        if std is None:
            std = _STD * min(size) / 28
        if not 0 <= std < math.inf:
            raise stnkit.errors.InputError(f"std: expected 0 or more, got {std}")
        family = stnkit.build("transform", "tps", control_points=[4, 4] if control_points is None else control_points)
        sampler = stnkit.build("sampler", "bilinear", **stnkit.distortions.sampler_padding(padding, image_shape))
        super().__init__(family, sampler, size)
        self.scale = scale
        self.std = std

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        scale = stnkit.distortions.uniform(n, *self.scale, generator)
        height, width = self.out_size
        # θ lists all x, then all y.
        half = self.family.n_params // 2
        pixel = torch.tensor([2 / width] * half + [2 / height] * half, dtype=torch.float64)
        moves = torch.randn(n, 2 * half, generator=generator, dtype=torch.float64) * self.std * pixel
        return ((self.family.identity() + moves) / scale[:, None]).float()


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("elastic", Elastic)
