"""Several spatial transformers beside each other."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.errors import InputError
from stnkit.transformer import SpatialTransformer


class ParallelTransformers(nn.Module):
    """image ↦ what each transformer makes of it, one after the other on the channels.

    Each has its own localizer, so that each may look for something else in the image.

    Args:
        transformers: one or more, with outputs of one size.

    Attributes:
        out_size: theirs, None for that of each image.

    Raises:
        InputError: when there is none, or their output sizes differ.

    Source: Jaderberg et al. 2015, section 3.4; used for the birds of section 4.3 and for MNIST addition.
    """

    def __init__(self, transformers: Sequence[SpatialTransformer]) -> None:
        super().__init__()
        sizes = [transformer.out_size for transformer in transformers]
        if not sizes or len(set(sizes)) > 1:
            raise InputError(f"parallel transformers need one and the same out_size, but theirs are {sizes}")
        self.out_size = sizes[0]
        self.transformers = nn.ModuleList(transformers)

    def forward(self, image: Float[Tensor, "B C *in_size"]) -> Float[Tensor, "B channels *out_size"]:
        """The image as each of the transformers straightens it, (B, n·C, *out_size)."""
        return torch.cat([transformer(image) for transformer in self.transformers], dim=1)
