"""Warps: what every contender gets, and what it hands back."""

import copy
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import stnkit
from peers import peer
from work import Call

SHAPES = {
    "256×1×42×42": (256, 1, 42, 42),
    "32×3×224×224": (32, 3, 224, 224),
    "16×64×56×56": (16, 64, 56, 56),
    "1×3×1024×1024": (1, 3, 1024, 1024),
}


@dataclasses.dataclass
class Inputs:
    """The same for all contenders of a piece of work.

    Args:
        image: (B, C, H, W), float32, smooth and black at its border.
        theta: (B, P), float32, as `family` takes it: near the identity, where training is.
        family: of stnkit, for its control points.
        weight: of the output's pixels, in whose sum the gradient is taken.
    """

    image: Tensor
    theta: Tensor
    family: stnkit.TransformFamily
    weight: Tensor


@dataclasses.dataclass
class Warp:
    """A warp by one contender, in the form in which its users would write it.

    Args:
        output: makes the warped images, from leaves that have been converted to the contender's own convention before.
        leaves: what the gradient goes to, the image and the parameters; empty where there is none.
        images: how many of the batch's images one call makes: the first ones, where all would take minutes.
    """

    output: Callable[[], Tensor]
    leaves: tuple[Tensor, ...] = ()
    images: int | None = None


def moved(passes: int) -> Callable[[Sequence[int]], int]:
    """Bytes of so many readings and writings of all images."""
    return lambda shape: 4 * passes * math.prod(shape)


# Images are read and warped ones written; backward, weights and images are read, and the gradient written.
FORWARD_BYTES, BOTH_BYTES = moved(2), moved(5)


def inputs(transform: str, **options: Any) -> Callable[[Sequence[int], str], Inputs]:
    """What makes the inputs for a family of stnkit."""

    def make(shape: Sequence[int], device: str) -> Inputs:
        generator = torch.Generator().manual_seed(0)
        family = stnkit.build("transform", transform, **options)
        batch, channels, *size = shape
        coarse = torch.rand(batch, channels, *(max(2, n // 4) for n in size), generator=generator)
        image = F.pad(F.interpolate(coarse, [n - 4 for n in size], mode="bicubic"), (2, 2, 2, 2))
        theta = family.identity().float() + 0.02 * torch.randn(batch, family.n_params, generator=generator)
        weight = torch.rand(image.shape, generator=generator)
        return Inputs(image.to(device), theta.to(device), family, weight.to(device))

    return make


def stnkit_warp(sampler: str = "bilinear", **options: Any) -> Callable[[Inputs], Warp]:
    """The warp by stnkit, as its transformers do it."""

    def warp(inputs: Inputs) -> Warp:
        read = stnkit.build("sampler", sampler, **options)
        image, theta = (leaf.clone().requires_grad_() for leaf in (inputs.image, inputs.theta))
        return Warp(lambda: stnkit.warp(inputs.family, theta, image, read, image.shape[2:]), (image, theta))

    return warp


def stnkit_sampling(sampler: str, **options: Any) -> Callable[[Inputs], Warp]:
    """A sampler of stnkit on a grid that is ready."""

    def warp(inputs: Inputs) -> Warp:
        read = stnkit.build("sampler", sampler, **options)
        image, grid = inputs.image.clone().requires_grad_(), ready_grid(inputs).requires_grad_()
        return Warp(lambda: read(image, grid), (image, grid))

    return warp


# Sampling alone, from a grid that is ready: what no warp that samples like this can be faster than.
LIMIT = {"sampling alone": peer("torch", "grid_sample_bilinear")}


def ready_grid(inputs: Inputs) -> Tensor:
    """The grid of the inputs, made beforehand and contiguous."""
    # By a family of its own: what it keeps would not be counted where another contender makes its first call.
    with torch.no_grad():
        return copy.deepcopy(inputs.family).grid(inputs.theta, inputs.image.shape[2:]).contiguous()


def forward(contender: Callable[[Inputs], Warp]) -> Callable[[Inputs], Call]:
    """The warped images alone, without a gradient."""

    def call(inputs: Inputs) -> Call:
        warp = contender(inputs)

        def run() -> Tensor:
            with torch.no_grad():
                return warp.output()

        return Call(run, lambda warped: warped, warp.images)

    return call


def forward_and_theta(contender: Callable[[Inputs], Warp]) -> Callable[[Inputs], Call]:
    """The warped images and the gradient to the parameters alone, as where the image is data."""

    def call(inputs: Inputs) -> Call:
        warp = contender(inputs)
        image, parameters = warp.leaves
        image.requires_grad_(False)
        weight = inputs.weight[: warp.images]

        def run() -> Tensor:
            return torch.autograd.grad(warp.output(), parameters, weight)[0]

        # Parameters differ from library to library. So does the rounding of source points, on which the gradient to θ
        # depends at the kinks of the kernel.
        return Call(run, images=warp.images)

    return call


def forward_and_backward(contender: Callable[[Inputs], Warp]) -> Callable[[Inputs], Call]:
    """The warped images and the gradient of their weighted sum to the image and the parameters."""

    def call(inputs: Inputs) -> Call:
        warp = contender(inputs)
        weight = inputs.weight[: warp.images]

        def run() -> tuple[Tensor, ...]:
            return torch.autograd.grad(warp.output(), warp.leaves, weight)

        # Parameters differ from library to library, and with them their gradient. That to the image does not, and the
        # warp is its adjoint: where it is the same, so is the warp.
        return Call(run, lambda gradients: gradients[0], warp.images)

    return call
