"""Localizer: from an image to the features of which a head makes θ."""

import abc
from collections.abc import Sequence
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.contract import SHAPE_OR_NONE, TRUTH, WHOLE_NUMBER, Contract, Requirement
from stnkit.convolutions import average_pool, channels_and_size, check_channels, convolution_block
from stnkit.errors import InputError, one_line
from stnkit.heads import LatticeHead, RegressionHead
from stnkit.heat_maps import check_temperature, soft_arg_max
from stnkit.precision import is_autocast

__all__ = [
    "LatticeHead",
    "Localizer",
    "RegressionHead",
    "average_pool",
    "channels_and_size",
    "check_channels",
    "check_temperature",
    "convolution_block",
    "refused_image",
    "soft_arg_max",
]


# Of the errors with which torch's layers refuse an image.
_SIGNS = ("shape", "size", "dim", "channel", "type", "element")


class Localizer(nn.Module, Contract):
    """image ↦ features of which a head makes θ.

    A subclass takes `in_shape` (C, *size) in its constructor, which the program supplies, sets `n_features` and
    implements `features`. It never sees θ: the head makes it, starting from the identity. Of a vector of features that
    is the `RegressionHead`, for any family; of a map of features the `LatticeHead`, for families with a
    `lattice_shape`.

    Attributes:
        n_features: number of features of an image, or of each position of a map.
        feature_map: True if the features are a map (B, n_features, *any), an image of any size that spans [-1, 1] as
            the image itself does.
        in_shape: (C, *size) of the images, set by a localizer that accepts no others; None for any.

    Example:
        >>> import torch, stnkit
        >>> class Means(stnkit.Localizer):
        ...     def __init__(self, in_shape: tuple[int, ...]):
        ...         super().__init__()
        ...         self.n_features = in_shape[0]
        ...     def features(self, image):
        ...         return image.mean(dim=(2, 3))
        >>> Means((3, 8, 8))(torch.ones(1, 3, 8, 8))
        tensor([[1., 1., 1.]])
    """

    abstract_attributes: ClassVar[dict[str, Requirement]] = {
        "in_shape": SHAPE_OR_NONE,
        "n_features": WHOLE_NUMBER,
        "feature_map": TRUTH,
    }
    renamed_methods: ClassVar[dict[str, str]] = {"forward": "features"}

    n_features: int
    feature_map: bool = False
    in_shape: tuple[int, ...] | None = None

    @abc.abstractmethod
    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features *any"]:
        """The features from which θ is regressed: (B, n_features), or with `feature_map` (B, n_features, *any).

        Args:
            image: a batch of images or feature maps.
        """

    @final  # type: ignore[misc]  # torch declares it an attribute
    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features *any"]:
        """The features of images, their shapes checked.

        Raises:
            InputError: when the image is of integers or not of `in_shape`, a layer does not accept it, or the features
                are not (B, n_features), or a map of that many for as many dimensions as the image has.
        """
        if self.in_shape is not None and tuple(image.shape[1:]) != tuple(self.in_shape):
            raise InputError(
                f"{type(self).__name__}: expected images of shape {list(self.in_shape)}, got {list(image.shape[1:])}"
            )
        if not (isinstance(image, torch.fx.Proxy) or image.is_floating_point()):
            raise InputError(f"{type(self).__name__}: expected floating-point images, got {image.dtype}")
        features = self._read(image)
        # A tracer of modules and not of tensors knows no shapes.
        if not isinstance(features, torch.fx.Proxy):
            self._check_features(features, image)
        return features

    def _check_features(self, features: object, image: Tensor) -> None:
        expected = [image.shape[0], self.n_features]
        shape = list(features.shape) if isinstance(features, Tensor) else type(features).__name__
        name = f"{type(self).__name__}.features"
        if not self.feature_map:
            if shape != expected:
                raise InputError(f"{name}: expected shape (B, n_features) {expected}, got {shape}")
        elif not isinstance(shape, list) or shape[:2] != expected or len(shape) != image.ndim or 0 in shape[2:]:
            size = ", ".join(["n"] * (image.ndim - 2))
            raise InputError(
                f"{name}: expected a map (B, n_features, *size) [{expected[0]}, {expected[1]}, {size}], got {shape}"
            )

    def _read(self, image: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            return self.features(image)
        try:
            return self.features(image)
        except RuntimeError as error:
            told = self._other_dtype(image, error)
            # What says nothing of shapes is no matter of the image.
            if told is None and any(sign in str(error) for sign in _SIGNS):
                told = refused_image(type(self).__name__, image.shape[1:], error)
            if told is None or told is error:  # from itself it would be its own cause
                raise
            raise told from error

    def _other_dtype(self, image: Tensor, error: RuntimeError) -> Exception | None:
        """The refusal of an image in another dtype than the weights, if that is what torch complains of."""
        weights = {p.dtype for p in self.parameters() if p.is_floating_point()}
        # Autocast makes one dtype of all others.
        narrowed = is_autocast(image) and torch.float64 not in {image.dtype, *weights}
        if not weights or image.dtype in weights or narrowed or "type" not in str(error):
            return None
        expected, got = (str(dtype).removeprefix("torch.") for dtype in (min(weights, key=str), image.dtype))
        return InputError(
            f"{type(self).__name__}: expected images in {expected}, the dtype of its weights, got {got}: "
            f"{one_line(error)}"
        )


def refused_image(reader: str, shape: Sequence[int], error: RuntimeError) -> Exception:
    """An InputError for an image that a layer does not accept; any other error unchanged.

    Args:
        reader: the name of the module, for the message.
        shape: of the image.
        error: raised by the module.
    """
    # Subclasses are errors of memory, devices and missing operations; a CPU without memory raises none of them.
    if type(error) is not RuntimeError or "allocate" in str(error):
        return error
    return InputError(f"{reader}: expected images that its layers accept, got shape {list(shape)}: {one_line(error)}")
