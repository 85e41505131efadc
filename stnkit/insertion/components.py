"""The transformer of an insertion point, built from the names of its components."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from stnkit.contract import COUNT
from stnkit.errors import InputError, StnkitError, retold
from stnkit.families.dimensions import DimensionsError
from stnkit.initial_theta import initial_theta
from stnkit.plugin_system import build, chosen_component, name_and_options, validate_options
from stnkit.transformer import ParallelTransformers, SpatialTransformer

COMPONENTS = ("transform", "localizer", "sampler")
OPTIONS = ("out_size", "parallel", "recurrent", "transform_init")


def make_transformers(
    point: str, components: Mapping[str, Any], in_shape: tuple[int, ...], sampled_channels: int | None = None
) -> SpatialTransformer | ParallelTransformers:
    """The transformer of an insertion point, or several in parallel.

    Args:
        point: as the user named it, for messages.
        components: as `insert_transformers` takes them for it.
        in_shape: (C, *size) of the images there.
        sampled_channels: of the moving image, where these are pairs.

    Raises:
        InputError: when the components are not of that form, or one cannot be built for these images.
    """
    check_components(point, components)
    try:
        starts = _starts(components)
        transformers = [
            _transformer({**components, "transform_init": start}, in_shape, sampled_channels) for start in starts
        ]
    except StnkitError as error:
        retold(error, f"insertion point {point!r}: {error}")
        raise
    return transformers[0] if len(transformers) == 1 else ParallelTransformers(transformers)


def check_components(point: str, components: Any) -> None:
    """Raise an InputError unless the components of an insertion point are a mapping with the keys it needs, and exist.

    Args:
        point: as the user named it, for messages.
        components: as `insert_transformers` takes them for it.

    Raises:
        InputError: for another form, a component of an unknown name, or an option that it does not take.
    """
    if not isinstance(components, Mapping):
        raise InputError(
            f"insertion point {point!r}: expected a mapping with {', '.join(COMPONENTS)}, got {components!r}"
        )
    unknown = [key for key in components if key not in (*COMPONENTS, *OPTIONS)]
    missing = [key for key in COMPONENTS if key not in components]
    if unknown or missing:
        problem = f"there is no {unknown[0]!r}" if unknown else f"{missing[0]} is missing"
        raise InputError(
            f"insertion point {point!r}: {problem}; it takes {', '.join(COMPONENTS)}, and optionally "
            f"{', '.join(OPTIONS)}"
        )
    for name in ("parallel", "recurrent"):
        n = components.get(name, 1)
        if not COUNT.holds(n):
            raise InputError(f"insertion point {point!r}: {name}: expected {COUNT.words}, got {n!r}")
    try:
        for kind in COMPONENTS:
            validate_options(*chosen_component(kind, components[kind]))
    except StnkitError as error:
        retold(error, f"insertion point {point!r}: {error}")
        raise


def _starts(components: Mapping[str, Any]) -> list[Any]:
    """The first θ of each of the parallel transformers: one for all, or a list with one for each."""
    n = int(components.get("parallel", 1))
    init: Any = components.get("transform_init")
    if not _is_list(init) or not len(init) or not all(isinstance(start, Mapping) or _is_list(start) for start in init):
        return [init] * n
    if len(init) != n:
        raise InputError(f"transform_init: expected one for each of {n} parallel transformers, got {len(init)}")
    return list(init)


def _is_list(value: Any) -> bool:
    """True for a list of any library, and for a tensor or an array that is no number."""
    if isinstance(value, Tensor | np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, str)


def _transformer(
    components: Mapping[str, Any], in_shape: tuple[int, ...], sampled_channels: int | None
) -> SpatialTransformer:
    family = build("transform", components["transform"], in_shape=in_shape)
    name, _ = name_and_options("transform", components["transform"])
    if family.ndim != len(in_shape) - 1:
        raise DimensionsError(
            f"transform {name!r} warps {family.ndim} dimensions, "
            f"but the images have {len(in_shape) - 1}: {list(in_shape)}"
        )
    return SpatialTransformer(
        build("localizer", components["localizer"], in_shape=in_shape),
        family,
        build("sampler", components["sampler"]),
        components.get("out_size"),
        int(components.get("recurrent", 1)),
        initial_theta(family, components.get("transform_init"), name),
        sampled_channels,
    )
