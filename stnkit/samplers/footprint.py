"""The footprint of an output pixel: its extent in the image, by which samplers that average widen their kernel."""

import torch
from jaxtyping import Float
from torch import Tensor

# Rounding errors make the footprint of the identity exceed 1 slightly, where a wider kernel has other kinks.
_SLACK = 1e-3


def footprint(
    pixels: Float[Tensor, "B *out_size ndim"], size: tuple[int, ...], largest: float
) -> Float[Tensor, "B *out_size ndim"]:
    """√Σ_e (∂p_d / ∂e)² over the output axes e: the width of an output pixel along each axis d, 1 to `largest` pixels.

    The derivatives are differences of neighboring points. An output axis of one pixel has no neighbors: its pixel is
    taken to be as wide as the image, as an antialiased `interpolate` to that size has it.

    Args:
        pixels: source points as pixel indices, x first.
        size: of the image, (H, W) or (D, H, W).
        largest: upper bound in pixels.

    Example:
        >>> import torch, stnkit
        >>> pixels = stnkit.coordinates.to_pixels(stnkit.coordinates.lattice((1, 2))[None], (3, 4))
        >>> stnkit.samplers.footprint(pixels, (3, 4), largest=8.0).tolist()
        [[[[2.0, 3.0], [2.0, 3.0]]]]

    Source: Heckbert, Fundamentals of texture mapping and image warping, UCB/CSD 89/516, 1989, chapter 3.
    """
    square = torch.zeros_like(pixels)
    for d, n in enumerate(size):
        square = square + _slope(pixels, d, n).square()
    # Mask before the root, or unused zeros would have infinite gradients.
    wider = square > (1 + _SLACK) ** 2
    return torch.where(wider, square, 1.0).sqrt().clamp(max=largest)


def _slope(pixels: Float[Tensor, "B *out_size ndim"], axis: int, n: int) -> Float[Tensor, "B *out_size ndim"]:
    """∂p/∂e by central differences along an output axis, one-sided at the ends; for one pixel that of the identity."""
    dim = 1 + axis
    if pixels.shape[dim] < 2:
        slope = torch.zeros_like(pixels)
        slope[..., -1 - axis] = n
        return slope
    steps = pixels.diff(dim=dim)
    first, last = steps.narrow(dim, 0, 1), steps.narrow(dim, steps.shape[dim] - 1, 1)
    return (torch.cat([first, steps], dim) + torch.cat([steps, last], dim)) / 2
