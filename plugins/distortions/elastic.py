"""Random elastic maps."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Elastic(stnkit.WarpDistortion):
    """The paper's E: scale U(0.75, 1), then a thin plate spline whose 4×4 control points move by N(0, 1.5 pixels).

    T_θ(p) = S(p)/s: the spline S takes control point c_k of the distorted image to c_k + d_k in the scaled one, which
    is the original at scale s. So θ_k = (c_k + d_k)/s, and the moves d_k are those from output to input, in
    pixels of the scaled image. Control points are a regular lattice over [-1, 1], ends included. At 28×28
    one spline of 170 folds somewhere; it is kept.

    Args:
        image_shape: (C, H, W) of the images; the program supplies it.
        scale: smallest and largest scale, above 0.
        std: standard deviation of a control point's move along x and y, in pixels.
        control_points: rows and columns of the lattice, each at least 2.

    Raises:
        InputError: when an option is out of its range.

    Source: Jaderberg et al. 2015, section 4.1 and appendix A.4.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        scale: tuple[float, float] = (0.75, 1.0),
        std: float = 1.5,
        control_points: list[int] | None = None,
    ) -> None:
        if not 0 < scale[0] <= scale[1] < math.inf:
            raise stnkit.errors.InputError(f"scale must be two rising numbers above 0, but {list(scale)} was given")
        if not 0 <= std < math.inf:
            raise stnkit.errors.InputError(f"std must be 0 or more, but {std} was given")
        if len(image_shape) != 3:
            raise stnkit.errors.InputError(
                f"it distorts images of shape (C, H, W), but image_shape is {list(image_shape)}"
            )
        family = stnkit.build("transform", "tps", control_points=[4, 4] if control_points is None else control_points)
        super().__init__(family, stnkit.build("sampler", "bilinear"), image_shape[1:])
        self.scale = scale
        self.std = std

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        scale = stnkit.distortions.uniform(n, *self.scale, generator)
        height, width = self.out_size
        # θ is planar: all x, then all y.
        half = self.family.n_params // 2
        pixel = torch.tensor([2 / width] * half + [2 / height] * half, dtype=torch.float64)
        moves = torch.randn(n, 2 * half, generator=generator, dtype=torch.float64) * self.std * pixel
        return ((self.family.identity() + moves) / scale[:, None]).float()


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("elastic", Elastic)
