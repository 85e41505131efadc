"""`stnkit completion`: Tab completion of commands, kinds, names and the overrides of `stnkit train`.

A shell runs `stnkit completion query` for the words that fit at the cursor. Words that the keys of entry points
determine are found without importing torch; overrides, which Hydra completes, need the options of every component.
"""

import contextlib
import os
from typing import TYPE_CHECKING, Any

from stnkit.cli.parser import Parser
from stnkit.cli.plugins import SUBCOMMANDS
from stnkit.exporting.formats import FORMATS
from stnkit.exporting.runtimes import RUNTIMES
from stnkit.plugin_system import KINDS, announced_commands, installed_plugins

if TYPE_CHECKING:
    from stnkit.plugin_system import Component

# Readline starts a new word at "=", so the answers must not repeat the text before it.
_BASH = r"""
_stnkit() {
    local IFS=$'\n' line=${COMP_LINE:0:COMP_POINT} word
    COMPREPLY=($(COMP_LINE=$line "${COMP_WORDS[0]}" completion query 2>/dev/null))
    word=${line##* }
    if [[ $word == *=* && $COMP_WORDBREAKS == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*=}"}"}")
    fi
}
complete -o nospace -o default -F _stnkit stnkit
"""
_ZSH = r"""
_stnkit() {
    local -a found
    found=("${(@f)$(COMP_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" ${(Q)words[1]} completion query 2>/dev/null)}")
    if [[ -n $found ]]; then compadd -Q -S '' -- $found; else _files; fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _stnkit stnkit
"""
SCRIPTS = {"bash": _BASH.strip(), "zsh": _ZSH.strip()}
# Endings after which the word continues, so no blank is added: an option's path, a value.
_OPEN_ENDS = ("=", ".", "/")


def main(arguments: list[str]) -> int:
    """Print the script of a shell, or the words that complete COMP_LINE when the script asks for them.

    Args:
        arguments: those after the command.
    """
    if arguments == ["query"]:
        print("\n".join(answers(os.environ.get("COMP_LINE", ""))))
        return 0
    parser = Parser(
        prog="stnkit completion",
        description='Print the completion script of a shell. To turn it on: eval "$(stnkit completion bash)"',
    )
    parser.add_argument("shell", choices=SCRIPTS, metavar="SHELL", help=" or ".join(SCRIPTS))
    print(SCRIPTS[parser.parse(arguments).shell])
    return 0


def answers(line: str) -> list[str]:
    """The words that complete a command line; a word that is finished ends in a blank.

    Args:
        line: the command line up to the cursor.
    """
    words = line.split()[1:]
    if line.strip() and line[-1].isspace():
        words.append("")
    if not words:
        return []  # the cursor is still in the name of the program
    *before, current = words
    found = sorted({word for word in _possible(before, current) if word.startswith(current)})
    return [word if word.endswith(_OPEN_ENDS) else f"{word} " for word in found]


def _possible(before: list[str], current: str) -> list[str]:
    from stnkit.cli.main import COMMANDS

    match before:
        case []:
            return [*COMMANDS, *announced_commands()]
        case ["train", *overrides]:
            return _overrides(overrides, current)
        case ["plugins"]:
            return list(SUBCOMMANDS)
        case ["plugins", "list" | "new"]:
            return list(KINDS)
        case ["plugins", "show" | "check" as subcommand]:
            components = [*KINDS, *(name for kind in KINDS for name in _names(kind))]
            return components + (_options(current) if subcommand == "show" else [])
        case ["plugins", "show" | "check", kind]:
            return _names(kind)
        case ["evaluate", _, *_]:
            return [f"{kind}={name}" for kind in ("dataset", "distortion") for name in _names(kind)]
        case ["apply", *_, "--sampler"]:
            return _names("sampler")
        case ["export", *_, "--to"]:
            return list(FORMATS)
        case ["export", *_, "--runtime"]:
            return list(RUNTIMES)
        case ["export", *_, "--part"]:
            return ["network", "transformer"]
        case ["completion"]:
            return list(SCRIPTS)
    return []


def _names(kind: str) -> list[str]:
    """The names of a kind, from the keys `kind.name` of entry points; no plugin is imported."""
    keys = (key.partition(".") for installed in installed_plugins() for key in installed.keys)
    return [name for prefix, _, name in keys if prefix == kind]


def _overrides(before: list[str], current: str) -> list[str]:
    group, equals, _ = current.partition("=")
    if equals and group in KINDS:
        return [f"{group}={name}" for name in _names(group)]
    if equals and (values := _values(group, before)):
        return [f"{group}={value}" for value in values]
    from stnkit.cli import hydra_internals, train

    return hydra_internals.completions(train.main, [*before, current])


def _options(current: str) -> list[str]:
    """The options and sections of `stnkit train`; those of a section where the word is one of them."""
    from stnkit.cli.options import application_entries, sections

    words = [*sections(), *application_entries()]
    return [word for word in words if "." not in word or current.startswith(f"{word.partition('.')[0]}.")]


def _values(key: str, before: list[str]) -> list[str]:
    """The values of an enum or a bool, of the application or of the component that the line has chosen."""
    from stnkit.cli.option_text import choices
    from stnkit.cli.options import application_entries, component_entries

    kind = key.partition(".")[0]
    component = _chosen(kind, before) if kind in KINDS else None
    entries = component_entries(component) if component else application_entries()
    return choices(entries[key].option.annotation) if key in entries else []


def _chosen(kind: str, before: list[str]) -> "Component | None":
    """The component that a line has chosen, or a preset in it, or the default; of a sweep the first."""
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from stnkit.cli.options import component_in, composed

    overrides = [word for word in before if "=" in word and not word.startswith("-")]
    first_values = [word.partition(",")[0] for word in overrides if word.partition("=")[0] in (*KINDS, "model")]
    for attempt in (overrides, first_values):
        with contextlib.suppress(HydraException, OmegaConfBaseException):
            config: Any = OmegaConf.to_container(composed(attempt), enum_to_str=True)
            return component_in(config, kind)
    return None
