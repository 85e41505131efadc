"""The heads of a transformer: from features to θ, which starts at the identity."""

import abc
import math
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.caching import cached
from stnkit.families.family import TransformFamily
from stnkit.families.given import check_family
from stnkit.families.tracing import has_tracer
from stnkit.initial_theta import TransformInit, initial_theta
from stnkit.renaming import tell_renamed


class Head(nn.Module, abc.ABC):
    """features ↦ θ: the identity at construction, or `transform_init`, whatever the features are.

    The identity is no parameter and no buffer: weight decay pulls θ towards it, and `.bfloat16()` does not round it. Of
    a chart it is the neutral θ.

    Args:
        family: whose θ is made.
        transform_init: the θ to start from, where it is not the identity: P numbers, or a window, a mapping with
            `zoom` and `center`: T_θ(p) = p / zoom + center.

    Attributes:
        weight: of the features, 0 at construction.
        offset: of θ from its start where the features are 0; exempt from weight decay in runs.

    Raises:
        InputError: when the family's identity is not n_params finite numbers, or `transform_init` does not fit it.
    """

    weight: nn.Parameter
    offset: nn.Parameter

    def __init__(self, family: TransformFamily, transform_init: TransformInit | None = None) -> None:
        super().__init__()
        check_family(family)
        with torch.device("cpu"):  # also where modules are built on another default device, such as meta
            identity = family.identity()
        shape = list(identity.shape) if isinstance(identity, Tensor) else type(identity).__name__
        if shape != [family.n_params]:
            raise InputError(
                f"{type(family).__name__}.identity: expected a tensor of shape [{family.n_params}], got {shape}"
            )
        if identity.is_complex() or not (has_tracer() or bool(identity.isfinite().all())):
            raise InputError(
                f"{type(family).__name__}.identity: expected finite real numbers, got {identity.detach().tolist()}"
            )
        # A value also where it depends on what the family has learned: modules with a graph cannot be copied.
        self._identity = identity.detach().double().clone()
        with torch.device("cpu"):
            start = initial_theta(family, transform_init)
        self._first_offset = None if start is None else start.detach() - self._identity

    @abc.abstractmethod
    def reset_parameters(self) -> None:
        """Return to the θ of the start, whatever the features are."""

    @abc.abstractmethod
    def forward(self, features: Float[Tensor, "B n_features *size"]) -> Float[Tensor, "B P"]:
        """θ in float32 or wider, also under autocast and for half-precision features."""

    def _apply(self, fn: Any, recurse: bool = True) -> "Head":
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.weight.device.type != "meta":
            self._identity = self._identity.to(self.weight.device)
        return self


@final
class RegressionHead(Head):
    """θ = identity + W·features + offset, with W = 0 and offset = 0 at construction: training starts from the identity.

    The identity is no parameter and no buffer: weight decay pulls θ towards it, and `.bfloat16()` does not round it.

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
        super().__init__(family, transform_init)
        self.weight = nn.Parameter(torch.empty(family.n_params, n_features))
        self.offset = nn.Parameter(torch.empty(family.n_params))
        self.reset_parameters()

    def reset_parameters(self) -> None:
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
        dtype = coordinates.coordinate_dtype(torch.promote_types(features.dtype, self.weight.dtype))
        with coordinates.full_precision(features):
            # Added first: θ then takes fewer values near the identity, where grids meet the kinks of a sampler.
            bias = self.offset.to(dtype) + self._identity.to(self.offset.device, dtype)
            return F.linear(features.to(dtype), self.weight.to(dtype), bias)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        old = f"{prefix}bias"
        if old in state_dict:  # of a version in which the identity was a part of it
            bias = state_dict.pop(old)
            if isinstance(bias, Tensor) and bias.shape == self._identity.shape:
                bias = (bias - self._identity.to(bias.device)).to(bias.dtype)
            state_dict[f"{prefix}offset"] = bias  # of another shape: refused like any other parameter
        super()._load_from_state_dict(state_dict, prefix, *rest)


@final
class LatticeHead(Head):
    """θ_i = identity_i + start_i + offset + W·features(c_i) at each point c_i of the family's lattice.

    A 1×1 convolution of a map of features, with W = 0 and offset = 0 at construction: training starts from the
    identity. Its result is read at the control points by linear interpolation; where these are farther apart than the
    cells of the map, by averages with the weights of a tent of that width. A point outside of the image reads the map's
    border. W and the offset are the same everywhere, so that their number does not depend on that of control points.

    Args:
        n_features: number of channels of the map.
        family: whose θ is made; it has a `lattice_shape`.
        transform_init: the θ to start from, as for `RegressionHead`; `start` is its difference from the identity.

    Raises:
        InputError: when the family has no `lattice_shape`, this or `lattice_extent` does not fit its θ, or
            `transform_init` does not.

    Example:
        >>> import torch, stnkit
        >>> spline = stnkit.build("transform", "bspline", control_points=[16, 16])
        >>> head = stnkit.localizers.LatticeHead(32, spline)
        >>> head(torch.rand(1, 32, 56, 56)).shape, sum(p.numel() for p in head.parameters())
        (torch.Size([1, 512]), 66)
    """

    def __init__(self, n_features: int, family: TransformFamily, transform_init: TransformInit | None = None) -> None:
        super().__init__(family, transform_init)
        self._shape, self._extent = lattice_of(family)
        self.weight = nn.Parameter(torch.empty(family.ndim, n_features))
        self.offset = nn.Parameter(torch.empty(family.ndim))
        # A buffer, since a state holds all of θ.
        self.start: Tensor
        self.register_buffer("start", torch.empty(family.n_params))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.offset)
        with torch.no_grad():
            self.start.zero_()
            if self._first_offset is not None:
                self.start.copy_(self._first_offset)

    def forward(self, features: Float[Tensor, "B n_features *size"]) -> Float[Tensor, "B P"]:
        ndim = len(self._shape)
        if features.ndim != ndim + 2:
            raise InputError(
                f"LatticeHead: expected a map of {ndim} dimensions, (B, n_features, *size), got {list(features.shape)}"
            )
        dtype = coordinates.coordinate_dtype(torch.promote_types(features.dtype, self.weight.dtype))
        with coordinates.full_precision(features):
            planes = self.weight.to(dtype) @ features.to(dtype).flatten(2)
            planes = planes.view(features.shape[0], ndim, *features.shape[2:])
            for axis, (n_points, extent) in enumerate(zip(self._shape, self._extent, strict=True), start=2):
                along = _readings(n_points, extent, features.shape[axis], dtype, features.device)
                planes = (planes.movedim(axis, -1) @ along.T).movedim(-1, axis)
            offset = self.offset.to(dtype)[:, None] + self.start.to(dtype).view(ndim, math.prod(self._shape))
            bias = offset.flatten() + self._identity.to(self.offset.device, dtype)
            return planes.reshape(features.shape[0], len(bias)) + bias


def head_for(
    localizer: nn.Module, family: TransformFamily, transform_init: TransformInit | None = None
) -> RegressionHead | LatticeHead:
    """The head that makes θ of a localizer's features: of a map the LatticeHead, of a vector the RegressionHead.

    Args:
        localizer: a Localizer, or a module of one's own that has its `n_features`.
        family: whose θ is made.
        transform_init: as for `RegressionHead`.

    Raises:
        InputError: when the features are a map and the family's θ is no lattice, or as `RegressionHead`.
    """
    if not getattr(localizer, "feature_map", False):
        return RegressionHead(localizer.n_features, family, transform_init)  # type: ignore[arg-type]
    if family.lattice_shape is None:
        raise InputError(
            f"{type(localizer).__name__} gives a map of features: expected a family whose θ is a lattice of control "
            f"points (lattice_shape), such as a B-spline, got {type(family).__name__}"
        )
    return LatticeHead(localizer.n_features, family, transform_init)  # type: ignore[arg-type]


def lattice_of(family: TransformFamily) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The `lattice_shape` of a family and its `lattice_extent`, both checked.

    Args:
        family: with a `lattice_shape`.

    Raises:
        InputError: when it has none, or one of the two does not fit its θ.
    """
    name, ndim, shape = type(family).__name__, family.ndim, family.lattice_shape
    if shape is None:
        raise InputError(f"LatticeHead: expected a family with a lattice_shape, got {name}")
    if len(shape) != ndim or ndim * math.prod(shape) != family.n_params or min(shape) < 1:
        raise InputError(
            f"{name}.lattice_shape: expected {ndim} numbers of points whose product is n_params / ndim, "
            f"{family.n_params} / {ndim}, got {list(shape)}"
        )
    extent = (1.0,) * ndim if family.lattice_extent is None else family.lattice_extent
    if len(extent) != ndim or not all(0 <= last < math.inf for last in extent):
        raise InputError(f"{name}.lattice_extent: expected {ndim} finite numbers of at least 0, got {list(extent)}")
    return tuple(shape), tuple(extent)


def lattice_axis(n_points: int, extent: float, device: torch.device | None = None) -> Float[Tensor, "points"]:
    """The coordinates of the points of a lattice along an axis, in float64: from −extent to extent, 0 for one point."""
    index = torch.arange(n_points, dtype=torch.float64, device=device)
    return (index - (n_points - 1) / 2) * (2 * extent / max(1, n_points - 1))


@cached
def _readings(
    n_points: int, extent: float, n_cells: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "points cells"]:
    """The weight of each cell of a map along an axis at each point of the lattice: rows with the sum 1."""
    position = (((lattice_axis(n_points, extent, device) + 1) * n_cells - 1) / 2).clamp(0, n_cells - 1)
    cells = torch.arange(n_cells, dtype=torch.float64, device=device)
    spacing = extent / (n_points - 1) if n_points > 1 else 1.0  # as a share of the image
    tent = (1 - (position[:, None] - cells).abs() / max(1.0, spacing * n_cells)).clamp(min=0)
    return (tent / tent.sum(dim=1, keepdim=True)).to(dtype)
