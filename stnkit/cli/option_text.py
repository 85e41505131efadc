"""The texts of an option on the command line: its type, its value, and the words that it takes."""

import enum
import shutil
import types
import typing
from collections.abc import Mapping
from typing import Any

from stnkit.plugin_system import Option

# The meaning of the options that transforms take from images, and from volumes.
FROM_IMAGES = {"aspect": "width / height of the images", "inner_radius": "in halves of the shorter side"}
FROM_VOLUMES = {"aspect": "width, height and depth of the volumes"}


def choices(annotation: Any) -> list[str]:
    """The words for the values of a type: of an enum, a Literal, a bool or a list of these; else none.

    Args:
        annotation: of an option.
    """
    if annotation is bool:
        return ["true", "false"]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return [*annotation.__members__]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return [value_text(value) for value in arguments]
    if origin in (typing.Union, types.UnionType):
        found = [word for member in arguments for word in choices(member)]
        return [*found, "null"] if found and type(None) in arguments else found
    return [f"[{word}]" for word in choices(arguments[0])] if origin is list and arguments else []


def another_value(annotation: Any, value: Any) -> Any:
    """A value of an option that differs from its default, or None where none follows from its type.

    A whole number may have limits or be odd, which a type does not say; a float is halved, which keeps its sign, and
    0.1 stands for 0.

    Args:
        annotation: of the option.
        value: its default.
    """
    if words := [word for word in choices(annotation) if word not in (value_text(value), "null")]:
        return words[0]
    return (value / 2 or 0.1) if isinstance(value, float) else None


def type_text(annotation: Any) -> str:
    """The type as a user reads it: an enum or a Literal is the list of its values.

    Args:
        annotation: of an option.
    """
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return " | ".join(annotation.__members__)
    if typing.get_origin(annotation) is typing.Literal:
        return " | ".join(map(value_text, typing.get_args(annotation)))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = typing.get_args(annotation)
        enums = [m for m in members if isinstance(m, type) and issubclass(m, enum.Enum)]
        # `Enum | str` is Enum: the string is for calls from Python and takes the same names.
        return " | ".join(type_text(m) for m in members if not (enums and m is str))
    if annotation is type(None):
        return "null"
    if typing.get_origin(annotation) is list:
        return f"list[{', '.join(map(type_text, typing.get_args(annotation)))}]"
    return Option("", annotation, None).type_name


def value_text(value: Any) -> str:
    """A value as it is written on the command line.

    Args:
        value: plain, or an enum.
    """
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(value_text, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{value_text(item)}" for key, item in value.items()) + "}"
    return str(value)


def options_from_images(taken: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """A label and a text for each option that transforms have taken from the images.

    Args:
        taken: by insertion point.
    """
    by_name: dict[str, list[str]] = {}
    meanings: dict[str, str] = {}
    for point, values in taken.items():
        for name, value in values.items():
            volumes = isinstance(value, list | tuple)
            text = f"[{','.join(f'{number:.4g}' for number in value)}]" if volumes else f"{value:.4g}"
            by_name.setdefault(name, []).append(f"{text} at {point}")
            meanings[name] = (FROM_VOLUMES if volumes else FROM_IMAGES).get(name, "taken from the images")
    return [(name, f"{', '.join(values)} ({meanings[name]})") for name, values in by_name.items()]


def chart_lines(points: list[str]) -> list[tuple[str, str]]:
    """A label and a text if transforms are charts; none otherwise.

    Args:
        points: insertion points of the charts.
    """
    text = f"{', '.join(points)} (the output has other coordinates than the image from the start)"
    return [("chart at", text)] if points else []


def width() -> int:
    """The width of the terminal in characters, 40 to 100."""
    return max(40, min(shutil.get_terminal_size((100, 24)).columns, 100))
