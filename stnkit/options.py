"""The options of a component: the parameters of its constructor that stand in a config."""

import dataclasses
import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from beartype import BeartypeConf
from beartype.door import is_bearable

from stnkit.errors import InputError
from stnkit.hookspecs import Component

REQUIRED: Any = inspect.Parameter.empty
# An int passes where a float is asked for, as everywhere in Python.
_TOWER = BeartypeConf(is_pep484_tower=True)


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
    constructor = component.cls.__init__
    try:
        hints = typing.get_type_hints(constructor)
    except Exception as error:
        raise InputError(
            f"{component.kind.name} {component.name!r}: an annotation of its constructor cannot be resolved: {error}"
        ) from error
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    return [Option(p.name, hints.get(p.name, Any), p.default) for p in parameters if p.kind in named]


def options_of(component: Component) -> list[Option]:
    """The parameters of the constructor that stand in a config."""
    return [option for option in parameters_of(component) if option.name not in component.kind.supplied]


def checked(component: Component, given: Mapping[str, Any]) -> dict[str, Any]:
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
        values[name] = _fitting(_plain(value), option.annotation)
        if not is_bearable(values[name], option.annotation, conf=_TOWER):
            raise InputError(f"{label}: option {name} must be {option.type_name}, but {value!r} was given")
    return values


def _plain(value: Any) -> Any:
    """Any mapping as a dict and any sequence as a list, as far down as there are some."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | tuple):
        return [_plain(item) for item in value]
    return value


def _fitting(value: Any, annotation: Any) -> Any:
    # YAML knows no tuples.
    if isinstance(value, list) and not is_bearable(value, annotation, conf=_TOWER):
        as_tuple = tuple(_fitting(item, Any) for item in value)
        if is_bearable(as_tuple, annotation, conf=_TOWER):
            return as_tuple
    return value
