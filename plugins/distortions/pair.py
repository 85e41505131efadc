"""A distortion between the two images of a pair."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Pair(stnkit.Distortion):
    """fixed = image ∘ D, moving = image: D, drawn by another distortion, is the map that registration looks for.

    D takes points of the fixed image to those of the moving one, so that the moving image read through T_θ = D is the
    fixed one. The moving image stays as it is.

    Args:
        image_shape: (2C, *size) of the pairs, the moving image and then the fixed one; the program supplies it.
        distortion: that of the fixed image, a name or a mapping `{name: ..., option: ...}`. It keeps the size of
            images, and its θ describes all channels of one.

    Raises:
        InputError: when the number of channels is odd, or the distortion is not of that kind.

    Example:
        >>> import torch, stnkit
        >>> pair = stnkit.build("distortion", "pair", image_shape=(2, 28, 28))
        >>> images, generator = torch.rand(3, 1, 28, 28).expand(-1, 2, -1, -1), torch.Generator().manual_seed(0)
        >>> moving, fixed = pair.apply(images, pair.sample(3, generator), generator).chunk(2, dim=1)
        >>> torch.equal(moving, images[:, :1]), torch.equal(fixed, moving)
        (True, False)
    """

    channels_move_together = False
    between_pair = True

    def __init__(self, image_shape: tuple[int, ...], distortion: str | dict[str, Any] = "elastic") -> None:
        channels, *size = image_shape
        if channels % 2:
            raise stnkit.errors.InputError(
                f"distortion=pair: expected pairs of images, an even number of channels, got {channels}"
            )
        inner = stnkit.build("distortion", distortion, image_shape=(channels // 2, *size))
        name = distortion if isinstance(distortion, str) else distortion.get("name")
        if not stnkit.distortions.describes(inner, len(size)):
            raise stnkit.errors.InputError(
                f"distortion.distortion: expected one whose theta describes all channels, such as elastic, got {name}"
            )
        if tuple(inner.out_size) != tuple(size):
            raise stnkit.errors.InputError(
                f"distortion.distortion: expected one that keeps the size {size} of images, got {name}, which gives "
                f"{list(inner.out_size)}"
            )
        self.distortion: stnkit.Distortion = inner
        self.family = inner.family
        self.out_size = inner.out_size

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        return self.distortion.sample(n, generator)

    def apply(
        self,
        images: Float[Tensor, "B C *in_size"],
        theta: Float[Tensor, "B P"],
        generator: torch.Generator,
    ) -> Float[Tensor, "B C *out_size"]:
        moving, fixed = images.chunk(2, dim=1)
        return torch.cat([moving, self.distortion.apply(fixed, theta, generator)], dim=1)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("pair", Pair)
