"""`stnkit plugins show`: docstring, options, an example and the distribution of a component."""

import enum
import shlex
import shutil
import textwrap
import types
import typing
from typing import Any

from stnkit.cli.parser import Parser
from stnkit.plugin_system import (
    KINDS,
    REQUIRED,
    Option,
    Registered,
    description,
    kind_named,
    options_of,
    parameter_lines,
    plugin_registry,
)

FAILURE = 1


def main(arguments: list[str]) -> int:
    """Print a component and return the exit code: 0, or 1 when it is installed but cannot be used.

    Args:
        arguments: those after the subcommand.

    Raises:
        UnknownNameError: when there is no such component.
    """
    parser = Parser(prog="stnkit plugins show", description=__doc__)
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("name", metavar="NAME", help="of the component")
    options = parser.parse_args(arguments)
    kind, name = kind_named(options.kind).name, options.name
    found = plugin_registry()
    providers = found.providers(kind, name)
    broken = [b for b in found.broken if b.source.entry_point == f"{kind}.{name}"]
    for source in dict.fromkeys([entry.source for entry in providers] + [b.source for b in broken]):
        print(f"{kind} {name}  from {source}")
    if broken:
        print("\nIt cannot be used:", "; ".join(dict.fromkeys(b.reason for b in broken)))
        if len(providers) > 1:
            print("To block one of them:")
            print("\n".join(f"  STNKIT_DISABLE_PLUGINS={e.source.distribution}:{kind}.{name}" for e in providers))
        return FAILURE
    if not providers:
        found.component(kind, name)  # raises, with the names that exist
    print(f"\n{described(providers[0])}")
    return 0


def described(entry: Registered) -> str:
    """Docstring, options with their types, defaults and help, and an example.

    Args:
        entry: the component.
    """
    component = entry.component
    sections = [_wrapped(description(component.cls))]
    if options := options_of(component):
        help_lines = parameter_lines(component.cls)
        sections.append("options\n" + "\n".join(_option(option, help_lines.get(option.name, "")) for option in options))
    sections.append(f"example\n  {example(entry)}")
    return "\n\n".join(section for section in sections if section)


def example(entry: Registered) -> str:
    """A `stnkit train` command with the component, its required options and its first default.

    Args:
        entry: the component.
    """
    words = [f"{entry.kind}={entry.name}"]
    for option in options_of(entry.component):
        if option.default is REQUIRED:
            words.append(f"{entry.kind}.{option.name}=VALUE")
        elif option.default is not None and len(words) == 1:
            words.append(f"{entry.kind}.{option.name}={_value(option.default)}")
    return shlex.join(["stnkit", "train", *words])


def _option(option: Option, help_line: str) -> str:
    default = "  (required)" if option.default is REQUIRED else f" = {_value(option.default)}"
    line = f"  {option.name}: {_type(option.annotation, option)}{default}"
    wrapped = textwrap.wrap(help_line, _width(), initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join([line, *wrapped])


def _wrapped(text: str) -> str:
    """Paragraphs of prose wrapped at the width of the terminal; indented ones are left unchanged."""
    paragraphs = text.split("\n\n")
    prose = [not any(line.startswith(" ") for line in paragraph.splitlines()) for paragraph in paragraphs]
    return "\n\n".join(
        textwrap.fill(" ".join(paragraph.split()), _width()) if is_prose else paragraph
        for paragraph, is_prose in zip(paragraphs, prose, strict=True)
    )


def _width() -> int:
    return max(40, min(shutil.get_terminal_size((100, 24)).columns, 100))


def _type(annotation: Any, option: Option) -> str:
    """The type as a user reads it: an enum is the list of its members."""
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return " | ".join(annotation.__members__)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = typing.get_args(annotation)
        enums = [m for m in members if isinstance(m, type) and issubclass(m, enum.Enum)]
        # `Enum | str` is Enum: the string is for calls from Python and takes the same names.
        return " | ".join(_type(m, Option(option.name, m, None)) for m in members if not (enums and m is str))
    if annotation is type(None):
        return "null"
    return Option(option.name, annotation, option.default).type_name


def _value(value: Any) -> str:
    """A default as it is written on the command line."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_value, value))}]"
    return str(value)
