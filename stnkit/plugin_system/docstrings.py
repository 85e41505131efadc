"""The docstring of a class in parts: the description, and a line for each parameter."""

import inspect
import re

_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")
_PARAMETER = re.compile(r" {4}\*{0,2}(\w+)(?: \([^)]*\))?: *(.*)")


def description(cls: type) -> str:
    """The docstring without the section of its parameters.

    Args:
        cls: a class; one without a docstring of its own is described by nothing, not by its base.
    """
    lines: list[str] = []
    section = ""
    for line in inspect.cleandoc(cls.__doc__ or "").splitlines():
        section = _section_at(line, section)
        if section != "Args":
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def parameter_lines(cls: type) -> dict[str, str]:
    """The description of each parameter in one line; that of a base class where the class itself has none.

    Args:
        cls: a class with docstrings in Google's style.
    """
    lines: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        lines |= _own_parameter_lines(base)
    return lines


def _own_parameter_lines(cls: type) -> dict[str, str]:
    lines: dict[str, str] = {}
    section, name = "", ""
    for line in inspect.cleandoc(cls.__doc__ or "").splitlines():
        section = _section_at(line, section)
        if section != "Args":
            continue
        if parameter := _PARAMETER.fullmatch(line):
            name = parameter[1]
            lines[name] = parameter[2]
        elif name and line.startswith(" " * 5):
            lines[name] = f"{lines[name]} {line.strip()}".strip()
    return lines


def _section_at(line: str, section: str) -> str:
    """The section that a line belongs to, "" for none: it ends with the first line that is not indented."""
    if heading := _SECTION.match(line):
        return heading[1]
    return section if not line or line.startswith(" ") else ""
