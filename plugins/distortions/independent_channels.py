"""Another draw of a distortion for every channel."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class IndependentChannels(stnkit.Distortion):
    """The channels of an image distorted independently of each other, as in the paper's MNIST addition.

    θ of an image is that of its first channel. `apply` draws those of the other channels from its generator, so they
    follow from the seed like all clutter and noise.

    Args:
        image_shape: (C, H, W) of the images; the program supplies it.
        distortion: that of each channel, a name or a mapping `{name: ..., option: ...}`.

    Example:
        >>> import torch, stnkit
        >>> rts = stnkit.build("distortion", "independent_channels", image_shape=(2, 28, 28))
        >>> images, generator = torch.ones(3, 2, 28, 28), torch.Generator().manual_seed(0)
        >>> rts.apply(images, rts.sample(3, generator), generator).shape
        torch.Size([3, 2, 42, 42])

    Source: Jaderberg et al. 2015, appendix A.1 (RTS for each of two digits).
    """

    channels_move_together = False

    def __init__(self, image_shape: tuple[int, ...], distortion: str | dict[str, Any] = "rts") -> None:
        self.distortion: stnkit.Distortion = stnkit.build("distortion", distortion, image_shape=(1, *image_shape[1:]))
        self.family = self.distortion.family
        self.out_size = self.distortion.out_size

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        return self.distortion.sample(n, generator)

    def apply(
        self,
        images: Float[Tensor, "B C *in_size"],
        theta: Float[Tensor, "B P"],
        generator: torch.Generator,
    ) -> Float[Tensor, "B C *out_size"]:
        first, *others = torch.split(images, 1, dim=1)
        distorted = [self.distortion.apply(first, theta, generator)]
        if others:
            # θ is drawn on the CPU, the generator is of the images' device.
            seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
            draws = torch.Generator().manual_seed(seed)
        for channel in others:
            own = self.distortion.sample(len(images), draws).to(theta.device)
            distorted.append(self.distortion.apply(channel, own, generator))
        return torch.cat(distorted, dim=1)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("independent_channels", IndependentChannels)
