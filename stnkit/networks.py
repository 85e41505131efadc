"""Network: the classifier or encoder behind the transformer."""

import abc
from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from stnkit.contract import Contract
from stnkit.errors import InputError

# The paper halves images of 42 pixels, its RTS and TC.
HALVED = 42
# Largest side for layers that see all positions: their weights grow with the area.
LARGEST = 96

__all__ = ["Network", "pool_in_front"]


class Network(nn.Module, Contract):
    """image ↦ logits. A subclass takes `in_shape` (C, *size) and `n_classes`, which the program supplies.

    `n_classes` is the number of outputs that the objective asks for: classes for classification, features for others.

    Attributes:
        gives_image: True for a network that hands the straightened image on, instead of logits.

    Example:
        >>> import math, torch, stnkit
        >>> class Linear(stnkit.Network):
        ...     def __init__(self, in_shape: tuple[int, ...], n_classes: int):
        ...         super().__init__()
        ...         self.layer = torch.nn.Linear(math.prod(in_shape), n_classes)
        ...     def forward(self, image):
        ...         return self.layer(image.flatten(1))
        >>> Linear((1, 8, 8), 10)(torch.rand(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    gives_image: ClassVar[bool] = False

    @abc.abstractmethod
    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B *outputs"]:
        """One output for each class, (B, n_classes).

        Args:
            image: a batch of images with values in [0, 1].
        """


def pool_in_front(size: Sequence[int], factor: int | None) -> tuple[list[nn.Module], list[int]]:
    """The average-pool in front of a network whose last layers see every position, and the size behind it.

    Args:
        size: of the images, (H, W) or (D, H, W).
        factor: of the pool; None is 2 for images of 42 pixels or more on each side, else 1 for none.

    Returns:
        One module or none, and the number of pixels along each axis behind it.

    Raises:
        InputError: when the factor is less than 1 or more than the smallest side, or a side behind it is above 96.

    Example:
        >>> import stnkit
        >>> stnkit.networks.pool_in_front((28, 28), None)
        ([], [28, 28])
        >>> stnkit.networks.pool_in_front((60, 43), None)[1]
        [30, 21]
    """
    smallest = min(size)
    if factor is None:
        factor = 2 if smallest >= HALVED else 1
    if factor < 1:
        raise InputError(f"average_pool: expected at least 1, got {factor}")
    if factor > smallest:
        raise InputError(f"average_pool: expected at most {smallest}, the image's smallest side, got {factor}")
    left = [n // factor for n in size]
    if max(left) > LARGEST:
        raise InputError(
            f"expected images with sides of at most {LARGEST} behind average_pool={factor}, got "
            f"{'×'.join(map(str, left))}: for larger ones choose network=resnet, or a larger average_pool"
        )
    pool = nn.AvgPool2d if len(size) == 2 else nn.AvgPool3d
    return [pool(factor)] if factor > 1 else [], left
