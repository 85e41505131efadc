"""The options of a component: the parameters of its constructor that stand in a config."""

import dataclasses
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
    to_plain,
)

REQUIRED: Any = inspect.Parameter.empty
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
        """The annotation as one would write it."""
        if isinstance(self.annotation, type) and not typing.get_args(self.annotation):
            return self.annotation.__name__
        return str(self.annotation).replace("typing.", "").replace("collections.abc.", "")


def parameters_of(component: Component) -> list[Option]:
    """All named parameters of the constructor, those that the program supplies included.

    Raises:
        InputError: when an annotation cannot be resolved.
    """
    return [
        Option(parameter.name, _resolved(component, parameter.name), parameter.default)
        for parameter in _signature(component)
        if parameter.kind in _NAMED
    ]


def options_of(component: Component) -> list[Option]:
    """The parameters of the constructor that stand in a config."""
    return [option for option in parameters_of(component) if option.name not in component.kind.supplied]


def check_configurable(component: Component) -> None:
    """Raise an InputError for a constructor that no config can call; it names the parameter and the types that can.

    A parameter is an option if YAML can hold its default, or, where it has none, some value of its type.

    Args:
        component: that a plugin yields.
    """
    for parameter in _signature(component):
        where = f"{component.kind.name} {component.name!r}: the parameter {parameter.name} of its constructor"
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
            where = where.replace(parameter.name, stars + parameter.name)
            raise InputError(f"{where} cannot stand in a config, which needs the name of every option")
        if parameter.kind not in _NAMED:
            raise InputError(f"{where} is positional only, but a config gives every option by its name")
        if parameter.name in component.kind.supplied:
            continue
        if parameter.name == "name" or parameter.name.startswith("_"):
            reason = "is the component's own" if parameter.name == "name" else "would be one of Hydra's"
            raise InputError(f"{where} needs another name: in a config that key {reason}")
        option = Option(parameter.name, _resolved(component, parameter.name), parameter.default)
        if option.default is REQUIRED:
            if not config_can_hold_type(option.annotation):
                raise InputError(
                    f"{where} has the type {option.type_name}, which no config can hold; what can: {ALLOWED}"
                )
        elif not config_can_hold(option.default):
            raise InputError(
                f"{where} has the default {option.default!r}, which no config can hold; what can: {ALLOWED}"
            )
        elif not is_instance(coerce(to_plain(option.default), option.annotation), option.annotation):
            raise InputError(f"{where} must be {option.type_name}, but its default is {option.default!r}")


def validate_options(component: Component, given: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the constructor wants them: lists where lists are asked for, tuples where tuples are.

    Raises:
        InputError: for an option that there is not, one of the wrong type, or one that is missing.
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
            raise InputError(f"{label}: option {name} must be {option.type_name}, but {value!r} was given")
    return values


def _signature(component: Component) -> list[inspect.Parameter]:
    """The parameters of the constructor without self, none where the class has no constructor of its own."""
    owner = next(cls for cls in component.cls.__mro__ if "__init__" in vars(cls))
    if owner in component.kind.base_class().__mro__[1:]:  # nn.Module's and object's take anything
        return []
    return list(inspect.signature(component.cls.__init__).parameters.values())[1:]


def _resolved(component: Component, parameter: str) -> Any:
    """The annotation of one parameter, Any where it has none."""
    constructor = inspect.unwrap(component.cls.__init__)
    annotations = getattr(constructor, "__annotations__", {})
    # One at a time: another annotation that cannot be resolved does not matter here.
    alone = types.SimpleNamespace(__annotations__={k: v for k, v in annotations.items() if k == parameter})
    try:
        return typing.get_type_hints(alone, globalns=getattr(constructor, "__globals__", {})).get(parameter, Any)
    except Exception as error:
        if parameter in component.kind.supplied:
            return Any
        raise InputError(
            f"{component.kind.name} {component.name!r}: the annotation {annotations[parameter]!r} of the parameter "
            f"{parameter} of its constructor cannot be resolved: {error}"
        ) from error
