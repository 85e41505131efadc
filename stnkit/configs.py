"""Components as typed Hydra config groups: `transform=affine transform.ndim=3` works without any YAML."""

import dataclasses
import enum
import types
import typing
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from stnkit.options import REQUIRED, Option, options_of
from stnkit.registry import Registered, registry


def register_component_groups() -> None:
    """Store a typed node for every component. A name that two distributions provide has none."""
    store = ConfigStore.instance()
    for entry in registry().registered:
        if len(registry().providers(entry.kind, entry.name)) == 1:
            store.store(group=entry.kind, name=entry.name, node=node_of(entry), provider=str(entry.source))


def node_of(entry: Registered) -> type[Any]:
    """The dataclass of a component's config: its fixed `name`, then its options with types and defaults."""
    # An enum of one member: another name is refused when the config is composed.
    fixed_name: Any = enum.StrEnum("name", [(entry.name, entry.name)])  # type: ignore[misc]
    fields: list[Any] = [("name", fixed_name, dataclasses.field(default=fixed_name(entry.name)))]
    for option in options_of(entry.component):
        annotation, default = _node_type(option), _node_default(option)
        fields.append((option.name, annotation, _field(default)))
    return dataclasses.make_dataclass(f"{entry.kind}_{entry.name}", fields)


def _field(default: Any) -> Any:
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: default)
    return dataclasses.field(default=default)


def _node_default(option: Option) -> Any:
    if option.default is REQUIRED:
        return MISSING
    return list(option.default) if isinstance(option.default, tuple) else option.default


def _node_type(option: Option) -> Any:
    """The annotation if OmegaConf can enforce it, else Any: `build` checks those."""
    annotation = _choices(option.annotation)
    if "tuple" in str(annotation).lower():
        return Any  # accepted, but its length is not enforced
    try:
        node = dataclasses.make_dataclass("probe", [("value", annotation, _field(_node_default(option)))])
        OmegaConf.structured(node)
    except (OmegaConfBaseException, TypeError, ValueError):
        return Any
    return annotation


def _choices(annotation: Any) -> Any:
    """`Enum | str` is Enum: the string is for calls from Python."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = typing.get_args(annotation)
        if any(isinstance(m, type) and issubclass(m, enum.Enum) for m in members):
            return typing.Union[tuple(m for m in members if m is not str)]  # noqa: UP007 made of parts
    return annotation
