"""Localizer and the regression head: from an image to θ."""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.contract import WHOLE_NUMBER, Contract, Requirement
from stnkit.errors import InputError, one_line
from stnkit.families.family import TransformFamily
from stnkit.initial_theta import TransformInit, initial_theta
from stnkit.renaming import tell_renamed


class Localizer(nn.Module, Contract):
    """image ↦ features from which the regression head makes θ.

    A subclass takes `in_shape` (C, *size) in its constructor, which the program supplies, sets `n_features` and
    implements `features`. It never sees θ: the head makes it, starting from the identity.

    Attributes:
        n_features: number of features of an image.
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

    abstract_attributes: ClassVar[dict[str, Requirement]] = {"n_features": WHOLE_NUMBER}
    renamed_methods: ClassVar[dict[str, str]] = {"forward": "features"}

    n_features: int
    in_shape: tuple[int, ...] | None = None

    @abc.abstractmethod
    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features"]:
        """The features from which θ is regressed.

        Args:
            image: a batch of images or feature maps.
        """

    @final  # type: ignore[misc]  # torch declares it an attribute
    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features"]:
        """The features of images, their shapes checked.

        Raises:
            InputError: when the image is not of `in_shape`, a layer does not accept it, or the features are not
                (B, n_features).
        """
        if self.in_shape is not None and tuple(image.shape[1:]) != tuple(self.in_shape):
            raise InputError(
                f"{type(self).__name__}: expected images of shape {list(self.in_shape)}, got {list(image.shape[1:])}"
            )
        features = self._read(image)
        # A tracer of modules and not of tensors knows no shapes.
        if not isinstance(features, torch.fx.Proxy):
            expected = [image.shape[0], self.n_features]
            shape = list(features.shape) if isinstance(features, Tensor) else type(features).__name__
            if shape != expected:
                raise InputError(
                    f"{type(self).__name__}.features: expected shape (B, n_features) {expected}, got {shape}"
                )
        return features

    def _read(self, image: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            return self.features(image)
        try:
            return self.features(image)
        except RuntimeError as error:
            raise refused_image(type(self).__name__, image.shape[1:], error) from error


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


@final
class RegressionHead(nn.Module):
    """θ = identity + W·features + offset, with W = 0 and offset = 0 at construction: training starts from the identity.

    The identity is no parameter and no buffer: weight decay pulls θ towards it, and `.bfloat16()` does not round it. Of
    a chart it is the neutral θ.

    Args:
        n_features: number of features of the localizer.
        family: whose θ is regressed.
        transform_init: the θ to start from, where it is not the identity: P numbers, or a window, a mapping with
            `zoom` and `center`: T_θ(p) = p / zoom + center. The offset is then its difference from the identity.

    Raises:
        InputError: when the family's identity does not have shape (n_params,), or `transform_init` does not fit it.

    Example:
        >>> import torch, stnkit
        >>> head = stnkit.localizers.RegressionHead(5, stnkit.build("transform", "affine"))
        >>> head(torch.rand(1, 5)).tolist()
        [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]]
    """

    def __init__(self, n_features: int, family: TransformFamily, transform_init: TransformInit | None = None) -> None:
        super().__init__()
        with torch.device("cpu"):  # also where modules are built on another default device, such as meta
            identity = family.identity()
        shape = list(identity.shape) if isinstance(identity, Tensor) else type(identity).__name__
        if shape != [family.n_params]:
            raise InputError(
                f"{type(family).__name__}.identity: expected a tensor of shape [{family.n_params}], got {shape}"
            )
        self.weight = nn.Parameter(torch.empty(family.n_params, n_features))
        self.offset = nn.Parameter(torch.empty(family.n_params))
        self._identity = identity.double()
        with torch.device("cpu"):
            start = initial_theta(family, transform_init)
        self._first_offset = None if start is None else start - self._identity
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Return to the θ of the start, whatever the features are."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.offset)
        if self._first_offset is not None:
            with torch.no_grad():
                self.offset.copy_(self._first_offset)

    @property
    def bias(self) -> Float[Tensor, "P"]:
        """θ where all features are 0: a parameter in plugin API 1."""
        tell_renamed("RegressionHead.bias is a copy now; the parameter is offset, which is 0 at the identity")
        return self.offset + self._identity.to(self.offset)

    def forward(self, features: Float[Tensor, "B n_features"]) -> Float[Tensor, "B P"]:
        """θ in float32 or wider, also under autocast and for half-precision features."""
        dtype = coordinates.coordinate_dtype(torch.promote_types(features.dtype, self.weight.dtype))
        with coordinates.full_precision(features):
            # Added first: θ then takes fewer values near the identity, where grids meet the kinks of a sampler.
            bias = self.offset.to(dtype) + self._identity.to(self.offset.device, dtype)
            return F.linear(features.to(dtype), self.weight.to(dtype), bias)

    def _apply(self, fn: Any, recurse: bool = True) -> "RegressionHead":
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.weight.device.type != "meta":
            self._identity = self._identity.to(self.weight.device)
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        old = f"{prefix}bias"
        if old in state_dict:  # of a version in which the identity was a part of it
            bias = state_dict.pop(old)
            if isinstance(bias, Tensor) and bias.shape == self._identity.shape:
                bias = (bias - self._identity.to(bias.device)).to(bias.dtype)
            state_dict[f"{prefix}offset"] = bias  # of another shape: refused like any other parameter
        super()._load_from_state_dict(state_dict, prefix, *rest)
