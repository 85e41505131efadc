"""Errors of Hydra and OmegaConf as one sentence, with the keys or values that are allowed."""

import re
from collections.abc import Iterator
from typing import Any

from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from stnkit.cli.hydra_internals import parse_override, refused_group
from stnkit.cli.nearest import did_you_mean
from stnkit.cli.quoting import quoted_override
from stnkit.errors import StnkitError, first_line
from stnkit.plugin_system import KINDS, plugin_registry, shadowed


def sentence(error: BaseException) -> str:
    """The sentence for an error that Hydra or OmegaConf raised.

    Args:
        error: as raised.
    """
    for said in (_shadowed_component, _unparsed, _no_name, _in_file, _unknown_key, _unknown_component):
        if found := said(error):
            return found
    return _shortened(error)


def _cause(error: BaseException) -> BaseException:
    return error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error


def _unparsed(error: BaseException) -> str | None:
    """For an argument that Hydra's grammar does not take: which one, and what is wrong in it."""
    if not isinstance(error, OverrideParseException):
        return None
    given = str(error.override)
    key, equals, value = given.partition("=")
    if not equals:
        return f"{given}: expected KEY=VALUE"
    try:
        parse_override(f"{key}=0")
    except HydraException:
        return f"{given}: expected a key that Hydra can read, got {key!r}"
    reason = next((line for line in str(error).splitlines() if not line.startswith("Error parsing override")), "")
    # The lexer tells no more than its own name, and the argument once more.
    reason = "characters that it does not take" if "LexerNoViableAlt" in reason else reason
    # Brackets, quotes and functions begin what has a form of its own.
    has_form = re.match(r"[\[{'\"]|$|\w+\(", value)
    quoted = "" if has_form else f"; quote such a value: {quoted_override(key, value)}"
    return f"{given}: expected a value that Hydra can read, got {reason}{quoted}"


def _no_name(error: BaseException) -> str | None:
    """For a value that names no config of a group."""
    if refused := refused_group(error):
        return f"{refused.input_line}: expected the name of a config of the group {refused.key_or_group}"
    return None


def _in_file(error: BaseException) -> str | None:
    """For a file of a config group that does not fit the options, such as an experiment."""
    found = re.match(r"In '([^']+)': \w+ raised while composing config", str(error))
    cause = error.__context__
    if found is None or not isinstance(cause, OmegaConfBaseException):
        return None
    said = _unknown_key(cause) or f"{cause.full_key}: {first_line(cause)}"
    return f"{found[1]}.yaml: {said}"


def _shadowed_component(error: BaseException) -> str | None:
    found = re.match(r"Error merging '(\w+)/(\w+)' with schema", str(error))
    if found is None or not plugin_registry().providers(found[1], found[2]):
        return None
    kind, name = found.groups()
    conflict = plugin_registry().conflicts.get((kind, name))
    return conflict or shadowed(kind, name, f"{kind}/{name}.yaml", "the config search path")


def _unknown_key(error: BaseException) -> str | None:
    cause = _cause(error)
    if not isinstance(cause, ConfigKeyError | ConfigAttributeError) or cause.parent_node is None:
        return None
    keys = ", ".join(map(str, OmegaConf.to_container(cause.parent_node)))  # type: ignore[arg-type]
    if not keys:  # an open mapping
        return f"there is no {cause.full_key} yet: write +{cause.full_key} to add it"
    parent = str(cause.full_key).rpartition(".")[0]
    before = f"{parent}." if parent else ""
    names = [name for name in _keys(cause.parent_node, before) if name.partition(".")[0] != "hydra"]
    known = f"the keys of {parent or 'the config'} are {keys}"
    if parent and OmegaConf.get_type(cause.parent_node) is dict:  # an option that takes any key
        near = did_you_mean(str(cause.full_key).removeprefix(before), names)
        return f"there is no {cause.full_key} yet: write +{cause.full_key} to add it; {near or known}"
    return f"there is no {cause.full_key}; {did_you_mean(str(cause.full_key), names) or known}"


def _keys(node: Any, before: str) -> Iterator[str]:
    """The keys on the command line, of inner nodes and of leaves; the name of a component is the value of its kind."""
    for key in node:
        if key == "name" or OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
            continue
        yield f"{before}{key}"
        if OmegaConf.is_dict(node[key]):
            yield from _keys(node[key], f"{before}{key}.")


def _unknown_component(error: BaseException) -> str | None:
    """The registry's sentence, which lists the names that exist and knows the broken plugins."""
    missing = re.search(r"Could not find '(\w+)/(\w+)'", str(error))
    if missing and missing[1] in KINDS:
        try:
            plugin_registry().component(missing[1], missing[2])
        except StnkitError as known:
            return str(known)
    return None


def _shortened(error: BaseException) -> str:
    cause = _cause(error)
    text = str(error).split("Config search path")[0].removeprefix("Error merging override ")
    if cause is not error:
        text += f": {first_line(cause)}"
    text = re.sub(r"\w+ is not a ListConfig, list or tuple\.", "expected a list, such as [28,28]", text)
    text = re.sub(r"\w+ is not a subclass of \w+\. value: (.*)", r"expected a group of options, got \1", text)
    return " ".join(line.strip() for line in text.splitlines() if line.strip())
