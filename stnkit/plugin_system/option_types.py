"""The types of options: YAML's values, and the tuples, enums and paths that are made of them."""

import collections.abc
import enum
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from beartype import BeartypeConf
from beartype.door import is_bearable
from beartype.roar import BeartypeException

ALLOWED = "bool, int, float, str, Path, Enum, Literal, and lists, tuples, dicts and unions of these"
_SCALARS = (bool, int, float, str, type(None))
_CONTAINERS = (
    list,
    tuple,
    dict,
    collections.abc.Sequence,
    collections.abc.Collection,
    collections.abc.Iterable,
    collections.abc.Mapping,
    collections.abc.MutableMapping,
)
# An int is accepted for a float, as everywhere in Python.
_TOWER = BeartypeConf(is_pep484_tower=True)


def is_instance(value: Any, annotation: Any) -> bool:
    """True if a value and each of its items are of that type; False for an annotation that is no type.

    A bool is no number here, as in Hydra, though it is an int of Python.
    """
    # Of a list, beartype checks one item, which it draws by chance.
    return _is_bearable(value, annotation) and any(
        _is_bearable(value, member)
        and not (isinstance(value, bool) and member in (int, float))
        and _is_one_of(value, member)
        and _items_are_instances(value, member)
        for member in members_of(annotation)
    )


def coerce(value: Any, annotation: Any) -> Any:
    """The value converted to that type, unchanged if it cannot be: YAML knows no tuples, enums and paths."""
    if is_instance(value, annotation):
        return value
    return next((candidate for candidate in _readings(value, annotation) if is_instance(candidate, annotation)), value)


def to_plain(value: Any) -> Any:
    """The value with mappings as dicts, sequences as lists and paths as strings, at every depth."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [to_plain(item) for item in value]
    return value


def config_can_hold_type(annotation: Any) -> bool:
    """True if some value from YAML is of that type."""
    if annotation in (Any, object) or isinstance(annotation, typing.TypeVar):
        return True
    members = members_of(annotation)
    if len(members) > 1:
        return any(config_can_hold_type(member) for member in members if member is not type(None))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return all(isinstance(value, _SCALARS) for value in arguments)
    if origin in _CONTAINERS:
        return all(config_can_hold_type(argument) for argument in arguments if argument is not Ellipsis)
    known = (*_SCALARS, *_CONTAINERS, Path, PurePath)
    return annotation in known or (isinstance(annotation, type) and issubclass(annotation, enum.Enum))


def config_can_hold(value: Any) -> bool:
    """True if YAML can express that value."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and config_can_hold(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(config_can_hold(item) for item in value)
    return isinstance(value, enum.Enum | PurePath) or type(value) in _SCALARS


def is_container(annotation: Any) -> bool:
    """True for a list, tuple or dict of items of given types."""
    return typing.get_origin(annotation) in _CONTAINERS


def members_of(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation itself; of Annotated the annotated type."""
    if typing.get_origin(annotation) is typing.Annotated:
        return members_of(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def is_resolved(value: Any) -> bool:
    """True if a text in that value means something else in a config: another option, or that it is missing.

    Args:
        value: plain, of any depth.
    """
    if isinstance(value, Mapping):
        return any(map(is_resolved, value.values()))
    if isinstance(value, list):
        return any(map(is_resolved, value))
    return isinstance(value, str) and not isinstance(value, enum.Enum) and ("${" in value or value == "???")


def _is_one_of(value: Any, annotation: Any) -> bool:
    """False for a value that is none of a Literal: True is no 1, though they are equal."""
    if typing.get_origin(annotation) is not typing.Literal:
        return True
    return any(value == each and (type(value) is type(each) or isinstance(value, str)) for each in annotation.__args__)


def _is_bearable(value: Any, annotation: Any) -> bool:
    try:
        return is_bearable(value, annotation, conf=_TOWER)
    except BeartypeException:
        return False


def _items_are_instances(value: Any, annotation: Any) -> bool:
    arguments = typing.get_args(annotation)
    if isinstance(value, Mapping) and len(arguments) == 2:
        return all(is_instance(key, arguments[0]) and is_instance(item, arguments[1]) for key, item in value.items())
    if isinstance(value, list | tuple) and typing.get_origin(annotation) in _CONTAINERS:
        fixed = isinstance(value, tuple) and arguments[1:] != (Ellipsis,) and len(arguments) == len(value)
        each = arguments if fixed else arguments[:1] * len(value)
        return all(map(is_instance, value, each))
    return True


def _readings(value: Any, annotation: Any) -> Iterator[Any]:
    """The values that one from YAML may mean under an annotation."""
    for member in members_of(annotation):
        origin, arguments = typing.get_origin(member) or member, typing.get_args(member)
        if isinstance(value, str) and isinstance(origin, type):
            if issubclass(origin, enum.Enum) and value in origin.__members__:
                yield origin[value]
            elif issubclass(origin, PurePath):
                yield Path(value)
        elif isinstance(value, list) and origin is tuple:
            each = arguments[:1] * len(value) if arguments[1:] == (Ellipsis,) else arguments
            if len(each) == len(value):
                yield tuple(coerce(item, wanted) for item, wanted in zip(value, each, strict=True))
            elif not arguments:
                yield tuple(value)
        elif isinstance(value, list) and len(arguments) == 1:
            yield [coerce(item, arguments[0]) for item in value]
        elif isinstance(value, dict) and len(arguments) == 2:
            yield {key: coerce(item, arguments[1]) for key, item in value.items()}
