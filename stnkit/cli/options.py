"""The options of `stnkit train` with types, values and help: from the schema, and from constructors of components."""

import dataclasses
import textwrap
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf

from stnkit.cli.hydra_internals import config_groups
from stnkit.cli.option_text import type_text, value_text, width
from stnkit.experiments.schema import CHOICES, TrainConfig, register_schema
from stnkit.plugin_system import (
    KINDS,
    OWN_LOGGERS,
    REQUIRED,
    Component,
    Option,
    options_of,
    parameter_lines,
    plugin_registry,
    register_component_groups,
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """An option and its help.

    Args:
        key: on the command line, such as `training.epochs`.
        option: its type and default.
        help: one line.
    """

    key: str
    option: Option
    help: str

    def text(self, value: Any, indent: str = "  ", name: str | None = None) -> str:
        """The lines `KEY: TYPE = VALUE` and the help.

        Args:
            value: that it has, or REQUIRED.
            indent: before the first line.
            name: in place of the key.
        """
        shown = "  (required)" if value is REQUIRED else f" = {value_text(value)}"
        line = f"{indent}{name or self.key}: {type_text(self.option.annotation)}{shown}"
        inner = indent + " " * 4
        wrapped = textwrap.wrap(self.help, width(), initial_indent=inner, subsequent_indent=inner)
        return "\n".join([line, *wrapped])


def application_entries() -> dict[str, Entry]:
    """The options of the application by their keys, sections flattened; a component is one option, its name."""
    return {entry.key: entry for entry in _fields(TrainConfig, "")}


def sections() -> dict[str, type]:
    """The dataclasses of the sections, such as `training`, by their keys."""
    return dict(_sections(TrainConfig, ""))


def component_entries(component: Component) -> dict[str, Entry]:
    """The options of a component by their keys, such as `transform.ndim`.

    Args:
        component: registered or not.
    """
    helps = parameter_lines(component.cls)
    keys = {f"{component.kind.name}.{option.name}": option for option in options_of(component)}
    return {key: Entry(key, option, helps.get(option.name, "")) for key, option in keys.items()}


def composed(overrides: list[str] | None = None) -> DictConfig:
    """The config of `stnkit train`.

    Args:
        overrides: of the command line, one value each.

    Raises:
        HydraException: when it cannot be composed.
    """
    register_schema()
    register_component_groups()
    with initialize_config_module("stnkit.conf", version_base="1.3"):
        return compose("train", overrides or [])


def entries_of(config: Mapping[str, Any]) -> Iterator[Entry]:
    """The options of a composed config: those of the application, with those of the chosen components.

    Args:
        config: as plain values.
    """
    for key, entry in application_entries().items():
        yield entry
        if key in KINDS and (component := component_in(config, key)):
            yield from component_entries(component).values()


def component_in(config: Mapping[str, Any], kind: str) -> Component | None:
    """The component that a config has chosen, or None where nobody can have it.

    Args:
        config: as plain values.
        kind: of the component.
    """
    name = (config.get(kind) or {}).get("name")
    providers = plugin_registry().providers(kind, str(name))
    return providers[0].component if len(providers) == 1 else None


def help_text(config: Mapping[str, Any]) -> str:
    """All options of a composed config with their values and help.

    Args:
        config: as plain values.
    """
    tree = OmegaConf.create(dict(config))
    return "\n".join(entry.text(value_in(tree, entry.key)) for entry in entries_of(config))


def register_help_resolver() -> None:
    """Register the OmegaConf resolvers that list groups and options in the text of `stnkit train --help`."""

    def listed(*, _root_: DictConfig) -> str:
        config: Any = OmegaConf.to_container(_root_, enum_to_str=True)
        return help_text({key: value for key, value in config.items() if key != "hydra"}).replace("$", "$$")

    OmegaConf.register_new_resolver("stnkit.options", listed, replace=True)
    OmegaConf.register_new_resolver("stnkit.groups", _groups_text, replace=True)


def _groups_text() -> str:
    """The config groups and their configs, but for the schemas, which other configs name and nobody chooses."""
    groups = {group: names for group, names in config_groups().items() if group.partition("/")[0] != "schema"}
    return "\n".join(f"{group}: {', '.join(names)}" for group, names in groups.items())


def value_in(config: DictConfig, key: str) -> Any:
    """The value of an option in a config: of a component its name, REQUIRED where there is none yet.

    Args:
        config: composed.
        key: of the option.
    """
    if OmegaConf.is_missing(*_parent(config, key)):
        return REQUIRED
    value = OmegaConf.select(config, f"{key}.name" if key in KINDS else key)
    return OmegaConf.to_container(value, enum_to_str=True) if OmegaConf.is_config(value) else value


def _fields(cls: type, prefix: str) -> Iterator[Entry]:
    helps, hints = parameter_lines(cls), typing.get_type_hints(cls)
    for each in dataclasses.fields(cls):
        key, annotation = f"{prefix}{each.name}", hints[each.name]
        if dataclasses.is_dataclass(annotation):
            yield from _fields(annotation, f"{key}.")  # type: ignore[arg-type]
            continue
        if key in KINDS:
            annotation = typing.Literal["NAME"]
        elif key == "training.loggers":
            names = (*OWN_LOGGERS, *(name for name, *_ in plugin_registry().loggers))
            annotation = list[typing.Literal[names]]  # type: ignore[valid-type]
        elif CHOICES in each.metadata:
            annotation = typing.Literal[each.metadata[CHOICES]]
        yield Entry(key, Option(each.name, annotation, None), helps.get(each.name, ""))


def _sections(cls: type, prefix: str) -> Iterator[tuple[str, type]]:
    for name, annotation in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(annotation):
            yield f"{prefix}{name}", annotation  # type: ignore[misc]
            yield from _sections(annotation, f"{prefix}{name}.")  # type: ignore[arg-type]


def _parent(config: DictConfig, key: str) -> tuple[Any, str]:
    before, _, last = key.rpartition(".")
    return (OmegaConf.select(config, before) if before else config), last
