"""MONAI's layer for affine maps."""

from monai.networks.layers import AffineTransform
from torch import Tensor

from peers import leaf
from warp import Inputs, Warp


def affine(inputs: Inputs) -> Warp:
    """`AffineTransform` on normalized coordinates, as its documentation advises for spatial transformers."""
    image, matrix = leaf(inputs.image), leaf(inputs.theta.view(-1, 2, 3))
    layer = AffineTransform(normalized=True, reverse_indexing=False, align_corners=False)

    def output() -> Tensor:
        return layer(image, matrix)

    return Warp(output, (image, matrix))
