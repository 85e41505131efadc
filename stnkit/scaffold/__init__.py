"""A package of one's own with one working component, written from templates: one for each kind."""

import importlib.util
import keyword
import re
from importlib import resources
from pathlib import Path
from string import Template

from stnkit.errors import InputError
from stnkit.plugin_system.kinds import kind_named
from stnkit.plugin_system.registry import plugin_registry

# What YAML or Hydra reads as a value that is no string: `transform=null` would select nothing.
NOT_NAMES = ("null", "true", "false", "nan", "inf")


def write_package(kind: str, name: str, parent: Path) -> Path:
    """Write `stnkit-NAME/` with pyproject.toml, a module, its test and a README; nothing is overwritten.

    Args:
        kind: of the component.
        name: of the component: a letter, then letters, digits and underscores.
        parent: where the folder goes.

    Returns:
        The folder.

    Raises:
        InputError: when there is no such kind, the name is not of that form or taken, or the folder exists.
    """
    words = _words(kind_named(kind).name, name)
    package = parent / f"stnkit-{name}"
    if package.exists():
        raise InputError(
            f"{package} exists already, and nothing in it is overwritten: choose another name or --directory"
        )
    templates = resources.files("stnkit.scaffold") / "templates"
    # All texts first: a folder that is there is complete.
    texts = {
        file.format(name=name): Template((templates / template).read_text(encoding="utf-8")).substitute(words)
        for file, template in (
            ("pyproject.toml", "pyproject.toml.template"),
            ("README.md", "README.md.template"),
            ("stnkit_{name}.py", f"{kind}.py.template"),
            ("test_{name}.py", "test.py.template"),
        )
    }
    package.mkdir(parents=True)
    for file, text in texts.items():
        (package / file).write_text(text, encoding="utf-8")
    return package


def _words(kind: str, name: str) -> dict[str, str]:
    """What stands in the templates."""
    # The distribution's name must not end in an underscore either.
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name.endswith("_"):
        raise InputError(
            f"a name must be a letter, then letters, digits and underscores, with no underscore at its end, "
            f"but {name!r} was given"
        )
    if keyword.iskeyword(name) or name.lower() in NOT_NAMES:
        raise InputError(f"{name!r} means something else to Python or in a config: choose another name")
    taken = [str(entry.source) for entry in plugin_registry().providers(kind, name)]
    taken += [str(b.source) for b in plugin_registry().broken if b.source.entry_point == f"{kind}.{name}"]
    if taken:
        raise InputError(f"{kind} {name!r} is taken by {' and '.join(dict.fromkeys(taken))}: choose another name")
    module = f"stnkit_{name}"
    if importlib.util.find_spec(module) is not None:
        raise InputError(f"the module {module} is taken by another package that is installed: choose another name")
    return {
        "kind": kind,
        "name": name,
        "class_name": "".join(part[:1].upper() + part[1:] for part in name.split("_")),
    }
