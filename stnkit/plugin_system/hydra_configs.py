"""Components as typed Hydra config groups: `transform=affine transform.ndim=3` works without YAML."""

import dataclasses
import enum
import functools
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from stnkit.errors import PluginError
from stnkit.plugin_system.components import Component
from stnkit.plugin_system.declarations import suggestions
from stnkit.plugin_system.kinds import KINDS
from stnkit.plugin_system.option_types import config_can_hold_type, is_container, members_of, to_plain
from stnkit.plugin_system.options import REQUIRED, Option, options_of
from stnkit.plugin_system.registry import Registered, plugin_registry, shadowed
from stnkit.plugin_system.search_paths import file_in

# The nodes in Hydra's store, by group and name. It outlives the registry: `transform=glob(*)` would list them.
_STORED: dict[tuple[str, str], Registered] = {}


class PluginSearchPaths(SearchPathPlugin):
    """Adds the search paths of plugins to those of every Hydra program of this process."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Put the plugins' folders behind the application's, whose files come first.

        Args:
            search_path: of Hydra.
        """
        for path, source in plugin_registry().search_paths:
            search_path.append(provider=str(source), path=path)


def register_component_groups() -> None:
    """Store a typed node for every component, drop those of components that are gone, and add the search paths.

    A name that two distributions provide has no node.
    """
    store = ConfigStore.instance()
    registered = {(entry.kind, entry.name): entry for entry in plugin_registry().registered}
    unique = {key: entry for key, entry in registered.items() if len(plugin_registry().providers(*key)) == 1}
    for kind, name in [key for key, entry in _STORED.items() if unique.get(key) != entry]:
        store.repo[kind].pop(f"{name}.yaml", None)
        del _STORED[kind, name]
    for (kind, name), entry in unique.items():
        if (kind, name) not in _STORED:  # each is a class to inspect, and a process may compose many configs
            store.store(group=kind, name=name, node=node_of(entry), provider=str(entry.source))
            _STORED[kind, name] = entry
    Plugins.instance().register(PluginSearchPaths)


def check_not_shadowed(choices: Mapping[str, Any], search_paths: Iterable[tuple[str, str]]) -> None:
    """Raise a PluginError when a chosen component has the name of a YAML file on the search path.

    Args:
        choices: which config was chosen in each group.
        search_paths: each with whose it is.
    """
    folders = list(search_paths)
    for kind in KINDS:
        name = choices.get(kind)
        if isinstance(name, str) and plugin_registry().providers(kind, name):
            plugin_registry().component(kind, name)  # raises for the folders that it knows
            for path, whose in folders:
                if file := file_in(path, kind, name):
                    raise PluginError(shadowed(kind, name, file, whose))


def node_of(entry: Registered) -> type[Any]:
    """The dataclass of a component's config: its fixed `name`, then its options with types and defaults.

    A component may suggest those of other groups by Hydra's `override`, to which a preset, an experiment and the
    command line take precedence.
    """
    node = component_node(entry.component)
    if not (suggested := suggestions(entry.component)):
        return node
    overrides: list[Any] = [{f"override /{group}@_global_.{group}": name} for group, name in suggested.items()]
    defaults = ("defaults", list[Any], dataclasses.field(default_factory=lambda: [*overrides, "_self_"]))
    return dataclasses.make_dataclass(node.__name__, [defaults], bases=(node,))


@functools.lru_cache(maxsize=1024)  # every command stores all nodes
def component_node(component: Component) -> type[Any]:
    """The same for a component that need not be registered."""
    # An enum of one member: another name is refused when the config is composed.
    fixed_name: Any = enum.StrEnum("name", [(component.name, component.name)])  # type: ignore[misc]
    fields: list[Any] = [("name", fixed_name, dataclasses.field(default=fixed_name(component.name)))]
    for option in options_of(component):
        annotation, default = _node_type(option), _node_default(option)
        fields.append((option.name, annotation, _field(default)))
    return dataclasses.make_dataclass(f"{component.kind.name}_{component.name}", fields)


def _field(default: Any) -> Any:
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: default)
    return dataclasses.field(default=default)


def _node_default(option: Option) -> Any:
    if option.default is REQUIRED:
        return MISSING
    return option.default if isinstance(option.default, enum.Enum) else to_plain(option.default)


def _node_type(option: Option) -> Any:
    """The annotation if OmegaConf can enforce it, else Any: `build` checks those."""
    if not config_can_hold_type(option.annotation):
        return Any  # a dataclass, of which OmegaConf would make a group of options
    annotation = _choices(option.annotation)
    if any(word in str(annotation).lower() for word in ("tuple", "path")):
        return Any  # a tuple's length would not be enforced, and a Path would come back as one, which JSON cannot hold
    if option.default is None and "dict" in str(annotation).lower():
        return Any  # OmegaConf fails to merge a dict into a typed None
    if _is_taken_literally(annotation):
        return Any
    try:
        node = dataclasses.make_dataclass("probe", [("value", annotation, _field(_node_default(option)))])
        OmegaConf.structured(node)
    except (OmegaConfBaseException, TypeError, ValueError):
        return Any
    return annotation


def _is_taken_literally(annotation: Any, *, inside: bool = False) -> bool:
    """True if OmegaConf refuses values that mean one of that type: whole numbers for floats, and names for enums.

    It reads them in a list or a dict, but not in one within another, nor in a union.

    Args:
        annotation: of an option, or of a part of it.
        inside: the annotation is that of the items of a container.
    """
    members = [member for member in members_of(annotation) if member is not type(None)]
    if len(members) > 1 and float in members and int not in members:
        return True
    for member in members:
        items = typing.get_args(member) if is_container(member) else ()
        if items and (inside or any(_is_taken_literally(item, inside=True) for item in items)):
            return True
    return False


def _choices(annotation: Any) -> Any:
    """`Enum | str` is Enum: the string is for calls from Python."""
    members = members_of(annotation)
    if any(isinstance(m, type) and issubclass(m, enum.Enum) for m in members):
        return typing.Union[tuple(m for m in members if m is not str)]  # noqa: UP007 built at run time
    return annotation
