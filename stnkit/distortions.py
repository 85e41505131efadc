"""Distortion: random draws of θ for a transform family, and the warp by them."""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.contract import SHAPE, Contract, Requirement
from stnkit.errors import InputError
from stnkit.families.family import TransformFamily
from stnkit.families.given import check_family
from stnkit.samplers.padding import Padding
from stnkit.samplers.sampler import Sampler
from stnkit.warping import warp

# Numbers of draws, and of points along each axis, by which `moves` judges a distortion.
_DRAWS, _POINTS = 8, 8
# In normalized coordinates: the rounding of θ in float32 moves a point by less.
_STILL = 1e-5

FAMILY = Requirement("a TransformFamily", lambda value: isinstance(value, TransformFamily))


class Distortion(Contract):
    """Draws θ and distorts whole batches with it, on the device of the images.

    A subclass takes `image_shape` (C, *size) in its constructor, which the program supplies.

    Attributes:
        family: whose θ is drawn. T_θ takes a point of the distorted image to one of the original.
        out_size: size of the distorted image.
        channels_move_together: True if T_θ is the map of every channel; otherwise it is that of the first one.
        between_pair: True if the images are pairs and T_θ takes points of the fixed image to those of the moving one.

    Example:
        >>> import torch, stnkit
        >>> distortion = stnkit.build("distortion", "rotation", image_shape=(1, 28, 28), degrees=30.0)
        >>> distortion.sample(5, torch.Generator().manual_seed(0)).shape
        torch.Size([5, 6])
    """

    abstract_attributes: ClassVar[dict[str, Requirement]] = {"family": FAMILY, "out_size": SHAPE}

    family: TransformFamily
    out_size: tuple[int, ...]
    channels_move_together: ClassVar[bool] = True
    between_pair: ClassVar[bool] = False

    @abc.abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        """Random θ in float32 on the CPU.

        Args:
            n: number of draws.
            generator: of the CPU; the only source of randomness.
        """

    @abc.abstractmethod
    def apply(
        self,
        images: Float[Tensor, "B C *in_size"],
        theta: Float[Tensor, "B P"],
        generator: torch.Generator,
    ) -> Float[Tensor, "B C *out_size"]:
        """The distorted images.

        Args:
            images: with values in [0, 1].
            theta: one row for each image, on its device.
            generator: of the images' device, for what θ does not describe (clutter, noise).
        """

    def milder(self) -> "Distortion | None":
        """Optional hook: Δ of the equivariance loss, of the same kind and half as wide, for images of `out_size`.

        None, the default, where images that are warped once more would mislead a transformer: the loss is off then,
        unless a weight is given.
        """
        return None


def describes(distortion: Distortion, ndim: int) -> bool:
    """True if θ of a distortion maps every point of an image of `ndim` dimensions: one map for all channels."""
    return distortion.channels_move_together and not distortion.between_pair and distortion.family.ndim == ndim


def gives_true_theta(distortion: Distortion, *, pair: bool) -> bool:
    """True if θ of a distortion is the map that a transformer undoes, or that it finds between the images of a pair.

    Args:
        distortion: of the images.
        pair: True for pairs of images.
    """
    return distortion.between_pair if pair else describes(distortion, len(distortion.out_size))


def moves(distortion: Distortion) -> bool:
    """True if one of the first draws of a distortion takes a point of the image to another.

    Args:
        distortion: of the images, whose θ is looked at: clutter and noise move nothing.

    Example:
        >>> import stnkit
        >>> [moves(stnkit.build("distortion", name, image_shape=(1, 28, 28))) for name in ("none", "rotation")]
        [False, True]
    """
    family = distortion.family
    points = coordinates.lattice((_POINTS,) * family.ndim, dtype=torch.float64).flatten(end_dim=-2)[None]
    draws = distortion.sample(_DRAWS, torch.Generator().manual_seed(0))
    with torch.no_grad():
        # False for NaN, which is no point.
        return not bool(((family(draws, points) - points).abs() <= _STILL).all())


class WarpDistortion(Distortion):
    """apply(images, θ) = sampler(images, family.grid(θ, out_size)): θ describes the distortion completely.

    A subclass implements `sample`.

    Args:
        family: whose θ is drawn.
        sampler: reads the original images.
        out_size: size of the distorted image.

    Example:
        >>> import torch, stnkit
        >>> class Shear(stnkit.distortions.WarpDistortion):
        ...     def __init__(self, image_shape: tuple[int, ...]):
        ...         family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
        ...         super().__init__(family, sampler, image_shape[1:])
        ...     def sample(self, n, generator):
        ...         theta = self.family.identity().float().repeat(n, 1)
        ...         theta[:, 1] = stnkit.distortions.uniform(n, -0.5, 0.5, generator)
        ...         return theta
        >>> Shear((1, 28, 28)).sample(3, torch.Generator().manual_seed(0)).shape
        torch.Size([3, 6])
    """

    def __init__(self, family: TransformFamily, sampler: Sampler, out_size: Sequence[int]) -> None:
        check_family(family)
        self.family = family
        self.sampler = sampler
        self.out_size = coordinates.check_size(out_size, family.ndim)

    @final
    def apply(
        self,
        images: Float[Tensor, "B C *in_size"],
        theta: Float[Tensor, "B P"],
        generator: torch.Generator,
    ) -> Float[Tensor, "B C *out_size"]:
        """The images read through T_θ."""
        return warp(self.family, theta, images, self.sampler, self.out_size)


def uniform(n: int, low: float | Tensor, high: float | Tensor, generator: torch.Generator) -> Float[Tensor, "n"]:
    """Draws from U(low, high) in float64.

    Args:
        n: number of draws.
        low: lower end, a number or one for each draw.
        high: upper end, likewise.
        generator: of the CPU.
    """
    return low + (high - low) * torch.rand(n, generator=generator, dtype=torch.float64)


def sampler_padding(padding: str | float | list[float], image_shape: Sequence[int]) -> dict[str, Any]:
    """The options of a PaddedSampler for the option `padding` of a distortion.

    Args:
        padding: zeros; border, the nearest pixel of the edge; or a color, a number from 0 to 1 or one for each channel.
        image_shape: (C, *size) of the images.

    Raises:
        InputError: for any other padding.

    Example:
        >>> sampler_padding([0.5, 0.5, 1.0], (3, 48, 64))
        {'padding': 'fill', 'fill_value': [0.5, 0.5, 1.0]}
    """
    if padding in (Padding.zeros.value, Padding.border.value):
        return {"padding": padding}
    channels = image_shape[0]
    values = list(padding) if isinstance(padding, list | tuple) else [padding]
    numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 for value in values
    )
    if not numbers or (isinstance(padding, list | tuple) and len(values) != channels):
        raise InputError(
            f"padding: expected zeros, border or a color, a number from 0 to 1 or one for each of the {channels} "
            f"channels, got {padding!r}"
        )
    return {"padding": Padding.fill.value, "fill_value": padding}


def planar_size(image_shape: Sequence[int]) -> tuple[int, int]:
    """(H, W) of images of shape (C, H, W).

    Args:
        image_shape: of the images.

    Raises:
        InputError: when they are not of two dimensions.
    """
    if len(image_shape) != 3:
        raise InputError(f"image_shape: expected (C, H, W), got {list(image_shape)}")
    return image_shape[1], image_shape[2]


def pose_theta(
    degrees: Float[Tensor, "n"],
    scale: Float[Tensor, "n"],
    shift: Float[Tensor, "n 2"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float[Tensor, "n 6"]:
    """p_in = c_in + (s·R)⁻¹ (p_out − c_out − shift): the affine θ of a rotation, scaling and shift in pixels.

    Args:
        degrees: rotation about the center, counter-clockwise as seen.
        scale: 1 keeps the size in pixels, 2 doubles it.
        shift: of the center in pixels, right and down.
        in_size: (H, W) of the original, with center c_in.
        out_size: (H, W) of the result, with center c_out.

    Returns:
        θ in float32, row by row, in normalized units.
    """
    angle = torch.deg2rad(degrees)
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    # The inverse of a counter-clockwise rotation in axes whose y points down.
    linear = torch.stack([cos, -sin, sin, cos], dim=-1).view(-1, 2, 2)
    center_in, center_out = (
        torch.tensor([(size[1] - 1) / 2, (size[0] - 1) / 2], dtype=linear.dtype) for size in (in_size, out_size)
    )
    matrix = torch.eye(3, dtype=linear.dtype).repeat(len(linear), 1, 1)
    matrix[:, :2, :2] = linear
    matrix[:, :2, 2] = center_in - (linear @ (center_out + shift)[..., None])[..., 0]
    return coordinates.normalized_matrix(matrix, in_size, out_size)[:, :2].flatten(start_dim=1).float()
