"""The options of a component: the parameters of its constructor that a config may set."""

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

from stnkit.errors import InputError
from stnkit.plugin_system.components import Component
from stnkit.plugin_system.option_types import (
    ALLOWED,
    coerce,
    config_can_hold,
    config_can_hold_type,
    is_instance,
    is_resolved,
    to_plain,
)

REQUIRED: Any = inspect.Parameter.empty
_OPEN_ENDED = inspect.Parameter.VAR_KEYWORD
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclasses.dataclass(frozen=True)
class Option:
    """One parameter of a constructor.

    Args:
        name: of the parameter.
        annotation: its type, `Any` when it has none.
        default: its default, or REQUIRED.
    """

    name: str
    annotation: Any
    default: Any

    @property
    def type_name(self) -> str:
        """The annotation as one would write it; the words that it stands for, of an enum or a Literal."""
        if isinstance(self.annotation, type) and issubclass(self.annotation, enum.Enum):
            return f"one of {', '.join(self.annotation.__members__)}"
        if typing.get_origin(self.annotation) is typing.Literal:
            return f"one of {', '.join(map(repr, typing.get_args(self.annotation)))}"
        if isinstance(self.annotation, type) and not typing.get_args(self.annotation):
            return self.annotation.__name__
        return str(self.annotation).replace("typing.", "").replace("collections.abc.", "")


def parameters_of(component: Component) -> list[Option]:
    """All named parameters of the constructor, those that the program supplies included.

    `**options` at the end of a constructor's parameters stands for those of the next constructor among the bases.

    Raises:
        InputError: when an annotation cannot be resolved.
    """
    return [
        Option(parameter.name, _resolved(component, constructor, parameter.name), parameter.default)
        for parameter, constructor in _signature(component)
        if parameter.kind in _NAMED
    ]


def options_of(component: Component) -> list[Option]:
    """The parameters of the constructor that a config may set."""
    return [option for option in parameters_of(component) if option.name not in component.kind.of_the_program]


def check_configurable(component: Component) -> None:
    """Raise an InputError for a constructor that no config can call; it names the parameter and the types that can.

    A parameter is an option if YAML can hold its default, or, where it has none, some value of its type.

    Args:
        component: that a plugin yields.
    """
    for parameter, constructor in _signature(component):
        where = f"{component.kind.name} {component.name!r}: the parameter {parameter.name} of its constructor"
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
            where = where.replace(parameter.name, stars + parameter.name)
            raise InputError(f"{where} cannot be set by a config, which needs the name of every option")
        if parameter.kind not in _NAMED:
            raise InputError(f"{where} is positional only, and a config sets every option by its name")
        if parameter.name in component.kind.of_the_program:
            if parameter.name in component.kind.offered and parameter.default is REQUIRED:
                raise InputError(f"{where} needs a default: the program supplies it where it knows the images")
            continue
        if parameter.name in ("name", "defaults") or parameter.name.startswith("_"):
            reason = "is the component's own" if parameter.name == "name" else "would be one of Hydra's"
            raise InputError(f"{where} needs another name: in a config that key {reason}")
        if not parameter.name.isascii():
            raise InputError(f"{where} needs another name, of ASCII letters, digits and underscores: Hydra reads these")
        option = Option(parameter.name, _resolved(component, constructor, parameter.name), parameter.default)
        if option.default is REQUIRED:
            if not config_can_hold_type(option.annotation):
                raise InputError(f"{where}: expected {ALLOWED}, got the type {option.type_name}")
        elif not config_can_hold(option.default):
            raise InputError(f"{where}: expected {ALLOWED}, got the default {option.default!r}")
        elif is_resolved(to_plain(option.default)):
            raise InputError(
                f"{where}: expected no text that Hydra resolves, as ${{…}}, got the default {option.default!r}"
            )
        elif not is_instance(coerce(to_plain(option.default), option.annotation), option.annotation):
            raise InputError(f"{where}: expected {option.type_name}, got the default {option.default!r}")


def validate_options(component: Component, given: Mapping[str, Any]) -> dict[str, Any]:
    """Options converted to the constructor's types: YAML knows no tuples, enums and paths.

    Raises:
        InputError: for an option that does not exist, has the wrong type, or is missing.
    """
    label = f"{component.kind.name} {component.name!r}"
    options = {option.name: option for option in options_of(component)}
    for name in given:
        if name not in options:
            raise InputError(f"{label} has no option {name!r}; its options are: {', '.join(options) or 'none'}")
    missing = [o.name for o in options.values() if o.default is REQUIRED and o.name not in given]
    if missing:
        raise InputError(f"{label} needs a value for {', '.join(missing)}")
    values = {}
    for name, value in given.items():
        option = options[name]
        values[name] = coerce(to_plain(value), option.annotation)
        if not is_instance(values[name], option.annotation):
            raise InputError(f"{label}: option {name}: expected {option.type_name}, got {value!r}")
    return values


def _signature(component: Component) -> list[tuple[inspect.Parameter, Any]]:
    """The parameters of the constructor, each with the constructor it comes from; those of bases first.

    Empty where neither the class nor a base below the contract has a constructor.
    """
    found: list[tuple[inspect.Parameter, Any]] = []
    open_ended: list[tuple[inspect.Parameter, Any]] = []
    for cls in component.cls.__mro__:
        if cls in component.kind.base_class().__mro__[1:]:  # nn.Module's and object's take anything
            break
        constructor = vars(cls).get("__init__")
        if constructor is None:
            continue
        _, *parameters = inspect.signature(constructor).parameters.values()
        known = {parameter.name for parameter, _ in found}
        own = [(p, constructor) for p in parameters if p.kind is not _OPEN_ENDED and p.name not in known]
        found = [*own, *found]
        open_ended = [(p, constructor) for p in parameters if p.kind is _OPEN_ENDED]
        if not open_ended:
            break
    return [*found, *open_ended]


def _resolved(component: Component, constructor: Any, parameter: str) -> Any:
    """The annotation of one parameter, Any where it has none."""
    constructor = inspect.unwrap(constructor)
    annotations = getattr(constructor, "__annotations__", {})
    # One at a time: another annotation that cannot be resolved does not matter here.
    alone = types.SimpleNamespace(__annotations__={k: v for k, v in annotations.items() if k == parameter})
    try:
        return typing.get_type_hints(alone, globalns=getattr(constructor, "__globals__", {})).get(parameter, Any)
    except Exception as error:
        if parameter in component.kind.of_the_program:
            return Any
        raise InputError(
            f"{component.kind.name} {component.name!r}: the annotation {annotations[parameter]!r} of the parameter "
            f"{parameter} of its constructor cannot be resolved: {error}"
        ) from error
