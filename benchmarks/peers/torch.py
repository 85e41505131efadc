"""PyTorch's own two functions: what a spatial transformer takes without any library."""

from torch import Tensor
from torch.nn import functional as F

from peers import leaf
from warp import Inputs, Warp, ready_grid


def affine(inputs: Inputs) -> Warp:
    """`affine_grid` and `grid_sample`: θ is their matrix, row by row."""
    image, matrix = leaf(inputs.image), leaf(inputs.theta.view(-1, 2, 3))

    def output() -> Tensor:
        grid = F.affine_grid(matrix, list(image.shape), align_corners=False)
        return F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    return Warp(output, (image, matrix))


def grid_sample_bilinear(inputs: Inputs) -> Warp:
    """Bilinear sampling alone, from a ready grid."""
    return _grid_sample(inputs, "bilinear")


def grid_sample_bicubic(inputs: Inputs) -> Warp:
    """Bicubic sampling alone, from a ready grid; the kernel has a = −0.75."""
    return _grid_sample(inputs, "bicubic")


def _grid_sample(inputs: Inputs, mode: str) -> Warp:
    image, grid = leaf(inputs.image), leaf(ready_grid(inputs))

    def output() -> Tensor:
        return F.grid_sample(image, grid, mode=mode, padding_mode="zeros", align_corners=False)

    return Warp(output, (image, grid))
