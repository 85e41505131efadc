"""θ and images of a distortion in a run, each checked, so that its author is told in one sentence."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.distortions import Distortion
from stnkit.errors import InputError


def drawn_theta(distortion: Distortion, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
    """`distortion.sample(n, generator)`, checked: finite, real and on the CPU.

    Args:
        distortion: that draws.
        n: number of draws.
        generator: of the CPU.

    Raises:
        InputError: when it gives anything else.
    """
    theta = distortion.sample(n, generator)
    name = f"{type(distortion).__name__}.sample"
    _check(name, theta, [n, distortion.family.n_params])
    if theta.device.type != "cpu":
        raise InputError(f"{name}: expected a tensor on the CPU, got one on {theta.device}")
    if not bool(theta.isfinite().all()):
        raise InputError(f"{name}: expected finite θ, got NaN or infinity")
    return theta.detach()


def distorted_images(
    distortion: Distortion, images: Float[Tensor, "B C *in_size"], theta: Float[Tensor, "B P"], draws: torch.Generator
) -> Float[Tensor, "B C *out_size"]:
    """`distortion.apply(images, theta, draws)`, its shape and type checked.

    Args:
        distortion: that is applied.
        images: the originals.
        theta: one row for each image.
        draws: generator of the images' device.

    Raises:
        InputError: when it gives anything but images of `out_size`.
    """
    distorted = distortion.apply(images, theta, draws)
    _check(f"{type(distortion).__name__}.apply", distorted, [len(images), images.shape[1], *distortion.out_size])
    return distorted


def check_finite(distortion: Distortion, images: Float[Tensor, "B C *size"]) -> None:
    """Raise an InputError for distorted images with NaN or infinity, which waits for the device.

    Args:
        distortion: that made them.
        images: distorted.
    """
    if not bool(images.isfinite().all()):
        raise InputError(f"{type(distortion).__name__}.apply: expected finite images, got NaN or infinity")


def _check(name: str, given: object, shape: Sequence[int]) -> None:
    got = list(given.shape) if isinstance(given, Tensor) else type(given).__name__
    if got != list(shape):
        raise InputError(f"{name}: expected a tensor of shape {list(shape)}, got {got}")
    if isinstance(given, Tensor) and not given.is_floating_point():
        raise InputError(f"{name}: expected a floating-point tensor, got {given.dtype}")
