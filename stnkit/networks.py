"""Network: what classifies the (straightened) image."""

import abc

from jaxtyping import Float
from torch import Tensor, nn


class Network(nn.Module, abc.ABC):
    """image ↦ logits. A subclass takes `in_shape` (C, *size) and `n_classes`, which the program supplies."""

    @abc.abstractmethod
    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_classes"]:
        """One logit for each class.

        Args:
            image: a batch of images with values in [0, 1].
        """
