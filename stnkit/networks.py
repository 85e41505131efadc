"""Network: the classifier or encoder behind the transformer."""

import abc
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from stnkit.contract import Contract


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
