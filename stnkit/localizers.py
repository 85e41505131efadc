"""Localizer and the regression head: from an image to θ."""

import abc

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.family import TransformFamily


class Localizer(nn.Module, abc.ABC):
    """Looks at the image and tells what the regression head needs to know.

    A subclass takes `in_shape` (C, *size) in its constructor, which the program supplies, sets `n_features`
    and implements `features`. It never sees θ: the head makes it, from the identity.

    Attributes:
        n_features: number of features of an image.
        in_shape: (C, *size) of the images, set by a localizer that takes no others; None for any.
    """

    n_features: int
    in_shape: tuple[int, ...] | None = None

    @abc.abstractmethod
    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features"]:
        """The features from which θ is regressed.

        Args:
            image: a batch of images or feature maps.
        """

    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features"]:
        """The same as `features`.

        Raises:
            InputError: when the image is not of `in_shape`.
        """
        if self.in_shape is not None and tuple(image.shape[1:]) != tuple(self.in_shape):
            raise InputError(
                f"{type(self).__name__} was built for images of shape {list(self.in_shape)}, "
                f"but some of shape {list(image.shape[1:])} were given"
            )
        return self.features(image)


class RegressionHead(nn.Module):
    """θ = W·features + b, with W = 0 and b = identity() at construction: training starts from the identity.

    Args:
        n_features: number of features of the localizer.
        family: whose θ is regressed.

    Raises:
        InputError: when the family has no `n_params`, or an identity of another shape.
    """

    def __init__(self, n_features: int, family: TransformFamily) -> None:
        super().__init__()
        n_params, identity = getattr(family, "n_params", None), family.identity()
        shape = tuple(identity.shape) if isinstance(identity, Tensor) else type(identity).__name__
        if shape != (n_params,):
            raise InputError(
                f"{type(family).__name__} needs n_params, a whole number, and identity() of shape (n_params,), "
                f"but they are {n_params} and {shape}"
            )
        self.weight = nn.Parameter(torch.zeros(family.n_params, n_features))
        self.bias = nn.Parameter(identity.to(self.weight.dtype))

    def forward(self, features: Float[Tensor, "B n_features"]) -> Float[Tensor, "B P"]:
        """θ in float32 or wider, also under autocast and for half-precision features."""
        dtype = coordinates.coordinate_dtype(torch.promote_types(features.dtype, self.weight.dtype))
        with coordinates.full_precision(features):
            return F.linear(features.to(dtype), self.weight.to(dtype), self.bias.to(dtype))
