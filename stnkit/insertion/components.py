"""The transformer of an insertion point, built from the names of its components."""

from collections.abc import Mapping
from typing import Any

from stnkit.errors import InputError, StnkitError
from stnkit.initial_theta import initial_theta
from stnkit.plugin_system import build
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
        raise type(error)(f"insertion point {point!r}: {error}") from error
    return transformers[0] if len(transformers) == 1 else ParallelTransformers(transformers)


def check_components(point: str, components: Any) -> None:
    """Raise an InputError unless the components of an insertion point are a mapping with the keys it needs.

    Args:
        point: as the user named it, for messages.
        components: as `insert_transformers` takes them for it.
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
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise InputError(f"insertion point {point!r}: {name}: expected a whole number of at least 1, got {n!r}")


def _starts(components: Mapping[str, Any]) -> list[Any]:
    """The first θ of each of the parallel transformers: one for all, or a list with one for each."""
    n, init = components.get("parallel", 1), components.get("transform_init")
    if not isinstance(init, list | tuple) or not init or not all(isinstance(s, list | tuple | Mapping) for s in init):
        return [init] * n
    if len(init) != n:
        raise InputError(f"transform_init: expected one for each of {n} parallel transformers, got {len(init)}")
    return list(init)


def _transformer(
    components: Mapping[str, Any], in_shape: tuple[int, ...], sampled_channels: int | None
) -> SpatialTransformer:
    family = build("transform", components["transform"], in_shape=in_shape)
    chosen = components["transform"]
    name = chosen if isinstance(chosen, str) else chosen["name"]
    if family.ndim != len(in_shape) - 1:
        raise InputError(
            f"transform {name!r} warps {family.ndim} dimensions, "
            f"but the images have {len(in_shape) - 1}: {list(in_shape)}"
        )
    return SpatialTransformer(
        build("localizer", components["localizer"], in_shape=in_shape),
        family,
        build("sampler", components["sampler"]),
        components.get("out_size"),
        components.get("recurrent", 1),
        initial_theta(family, components.get("transform_init"), name),
        sampled_channels,
    )
