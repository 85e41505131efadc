"""`stnkit plugins show`: docstring, options, an example and the distribution of a component; or an option's help."""

import itertools
import shlex
import textwrap
from typing import Any

from stnkit.cli.nearest import did_you_mean
from stnkit.cli.option_text import another_value, value_text, width
from stnkit.cli.options import (
    application_entries,
    component_entries,
    composed,
    sections,
    value_in,
)
from stnkit.cli.parser import Parser
from stnkit.cli.plugins.naming import component_named
from stnkit.errors import InputError
from stnkit.plugin_system import (
    KINDS,
    REQUIRED,
    Component,
    Registered,
    construct,
    description,
    options_of,
    parameters_of,
    plugin_registry,
)

FAILURE = 1
CHART = """It is a chart: none of its maps is the identity. The network behind it sees other coordinates than those of
the image from the start, and pose figures are not defined."""


def main(arguments: list[str]) -> int:
    """Print a component and return the exit code: 0, or 1 when it is installed but cannot be used.

    Args:
        arguments: those after the subcommand.

    Raises:
        InputError: when there is no such component or option.
    """
    parser = Parser(prog="stnkit plugins show", usage="%(prog)s [-h] [KIND] NAME | OPTION", description=__doc__)
    parser.add_argument(
        "words",
        nargs="+",
        metavar="[KIND] NAME | OPTION",
        help=f"a component ({', '.join(KINDS)}), or an option or section of stnkit train, such as training or out_size",
    )
    words = parser.parse(arguments).words
    if len(words) == 1 and (text := described_option(words[0])):
        print(text)
        return 0
    kind, name = component_named(words, options=[*sections(), *application_entries()])
    found = plugin_registry()
    providers = found.providers(kind, name)
    broken = [b for b in found.broken if b.source.entry_point == f"{kind}.{name}"]
    for source in dict.fromkeys([entry.source for entry in providers] + [b.source for b in broken]):
        print(f"{kind} {name}  from {source}")
    if broken:
        print("\nIt cannot be used:", "; ".join(dict.fromkeys(b.reason for b in broken)))
        points = dict.fromkeys(f"{entry.source.distribution}:{entry.source.entry_point}" for entry in providers)
        if len(points) > 1:
            print("To block one of them:")
            print("\n".join(f"  STNKIT_DISABLE_PLUGINS={point}" for point in points))
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
    paragraphs = [_wrapped(description(component.cls))]
    if getattr(component.cls, "is_chart", False) is True:
        paragraphs.append(_wrapped(CHART))
    if entries := component_entries(component):
        lines = [entry.text(entry.option.default, name=entry.option.name) for entry in entries.values()]
        paragraphs.append("\n".join(["options", *lines]))
    paragraphs.append(f"example\n  {example(entry)}")
    return "\n\n".join(filter(None, paragraphs))


def described_option(word: str) -> str:
    """The same for an option of `stnkit train`, or a section of options; empty for any other word.

    Args:
        word: the key of an option or a section.

    Raises:
        InputError: when a section has no such option.
    """
    entries = {key: entry for key, entry in application_entries().items() if f"{key}.".startswith(f"{word}.")}
    if not entries:
        section = next((name for name in sections() if word.startswith(f"{name}.")), None)
        if section is None:
            return ""
        names = [key.removeprefix(f"{section}.") for key in application_entries() if key.startswith(f"{section}.")]
        near = did_you_mean(word, [f"{section}.{name}" for name in names])
        raise InputError(f"there is no option {word!r}; {near or f'those of {section} are ' + ', '.join(names)}")
    defaults = composed()
    values = {key: value_in(defaults, key) for key in entries}
    written = next((key for key, value in values.items() if value not in (None, REQUIRED)), word)
    value = another_value(entries[written].option.annotation, values[written]) if written in entries else None
    value = values.get(written) if value is None or written in KINDS else value
    usage = f"example\n  {shlex.join(['stnkit', 'train', f'{written}={value_text(value)}'])}"
    if word not in sections():
        text = entries[word].text(values[word], indent="")
        known = f"The {word}s: {', '.join(plugin_registry().names(word))}." if word in KINDS else ""
        return "\n\n".join(filter(None, (text, _wrapped(known), usage)))
    lines = [entry.text(values[key], name=key.removeprefix(f"{word}.")) for key, entry in entries.items()]
    return "\n\n".join([_wrapped(description(sections()[word])), "\n".join(["options", *lines]), usage])


def example(entry: Registered) -> str:
    """A `stnkit train` command with the component, its required options, or an option with another value.

    Where no value but the default is known of any option, the first default stands in the command.

    Args:
        entry: the component.
    """
    options = options_of(entry.component)
    changed = {o.name: another_value(o.annotation, o.default) for o in options if o.default not in (None, REQUIRED)}
    values: dict[str, Any] = {option.name: "VALUE" for option in options if option.default is REQUIRED}
    if not values:
        known = ((name, value) for name, value in changed.items() if value is not None)
        taken = (pair for pair in known if _takes(entry.component, dict([pair])))
        values = dict([*itertools.islice(taken, 1), *((o.name, o.default) for o in options if o.name in changed)][:1])
    words = [f"{entry.kind}.{name}={value_text(value)}" for name, value in values.items()]
    return shlex.join(["stnkit", "train", f"{entry.kind}={entry.name}", *words])


def _takes(component: Component, options: dict[str, Any]) -> bool:
    """True if a constructor takes the options, or needs what the program supplies, such as the size of images."""
    if {parameter.name for parameter in parameters_of(component)} & set(component.kind.supplied):
        return True
    try:
        construct(component, options, {})
    except Exception:  # of an author's constructor
        return False
    return True


def _wrapped(text: str) -> str:
    """Paragraphs of prose wrapped at the width of the terminal; indented ones are left unchanged."""
    paragraphs = text.split("\n\n")
    prose = [not any(line.startswith(" ") for line in paragraph.splitlines()) for paragraph in paragraphs]
    return "\n\n".join(
        textwrap.fill(" ".join(paragraph.split()), width()) if is_prose else paragraph
        for paragraph, is_prose in zip(paragraphs, prose, strict=True)
    )
