"""Network: the classifier behind the transformer."""

import abc

from jaxtyping import Float
from torch import Tensor, nn

from stnkit.contract import Contract


class Network(nn.Module, Contract):
    """image ↦ logits. A subclass takes `in_shape` (C, *size) and `n_classes`, which the program supplies.

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

    @abc.abstractmethod
    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_classes"]:
        """One logit for each class.

        Args:
            image: a batch of images with values in [0, 1].
        """
