"""The paper's convolutional network."""

import math
from collections import OrderedDict
from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn

import stnkit


class PaperCNN(stnkit.Network):
    """9×9 convolution, 2×2 max-pool, 7×7 convolution, 2×2 max-pool, a fully connected layer; no padding.

    The paper states 400,000 parameters and no channels; 64 and 128 give 411,914 parameters at 28×28 and 10
    classes. Max-pools round up, so that the paper's 21×21 (42×42 after its average-pool) fits. Its last layer
    sees every position, so that it makes no sense for images with a side above 96 pixels behind the average-pool.

    Args:
        in_shape: (C, H, W) of the images; the program supplies it.
        n_classes: number of classes; the program supplies it.
        channels: channels of the two convolutions; null is [64, 128].
        average_pool: factor of an average-pool in front; by default 2 for images of 42 pixels or more on each side
            (the paper's RTS and TC), else 1 for none.

    Raises:
        InputError: when the image is too small for the two convolutions or too large, or an option is out of its range.

    Example:
        >>> import torch, stnkit
        >>> network = stnkit.build("network", "paper_cnn", in_shape=(1, 28, 28), n_classes=10)
        >>> sum(p.numel() for p in network.parameters())
        411914

    Source: Jaderberg et al. 2015, section 4.1.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        n_classes: int,
        channels: list[int] | None = None,
        average_pool: int | None = None,
    ) -> None:
        super().__init__()
        channels = [64, 128] if channels is None else channels
        if len(channels) != 2 or min(channels) < 1:
            raise stnkit.errors.InputError(f"channels: expected two numbers of at least 1, got {channels}")
        if len(in_shape) != 3:
            of_volumes = "; for volumes choose network=paper_fcn" if len(in_shape) == 4 else ""
            raise stnkit.errors.InputError(f"in_shape: expected (C, H, W), got {list(in_shape)}{of_volumes}")
        n_channels, *size = in_shape
        front, left = stnkit.networks.pool_in_front(size, average_pool)
        for kernel_size in (9, 7):
            left = [math.ceil((n - kernel_size + 1) / 2) for n in left]
            if min(left) < 1:
                raise stnkit.errors.InputError(
                    f"it is too deep for images of {size[0]}×{size[1]}: expected at least 21 pixels on each side "
                    "behind the average-pool"
                )
        self.layers = nn.Sequential(
            OrderedDict(
                pool=front[0] if front else nn.Identity(),
                conv1=nn.Conv2d(n_channels, channels[0], 9),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2, ceil_mode=True),
                conv2=nn.Conv2d(channels[0], channels[1], 7),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2, ceil_mode=True),
                flatten=nn.Flatten(),
                logits=nn.Linear(channels[1] * math.prod(left), n_classes),
            )
        )

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B n_classes"]:
        return self.layers(image)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("paper_cnn", PaperCNN)
