"""A new package with one working component, written from the templates of its kind."""

import importlib.util
import keyword
import re
from importlib import resources
from pathlib import Path
from string import Template

from stnkit.errors import InputError
from stnkit.plugin_system import kind_named, plugin_registry

# YAML and Hydra read these as values other than strings: `transform=null` would select nothing.
NOT_NAMES = ("null", "true", "false", "nan", "inf")


def write_package(kind: str, name: str, parent: Path) -> Path:
    """Write `stnkit-NAME/` with pyproject.toml, a module, its test and a README; overwrite nothing.

    Args:
        kind: of the component.
        name: of the component: a letter, then letters, digits and underscores.
        parent: the folder in which it is made.

    Returns:
        The folder.

    Raises:
        InputError: when there is no such kind, the name has another form or is taken, or the folder exists.
    """
    words = _words(kind_named(kind).name, name)
    package = parent / f"stnkit-{name}"
    if package.exists():
        raise InputError(f"{package} exists already and is not overwritten: choose another name or --directory")
    templates = resources.files("stnkit.scaffold") / "templates"
    # All texts before the first file: an existing folder is complete.
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
    """The values of the names in the templates."""
    # A distribution's name cannot end in an underscore.
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name.endswith("_"):
        raise InputError(
            f"name: expected a letter, then letters, digits and underscores, and no underscore at its end, got {name!r}"
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
        "class_name": "".join(word[:1].upper() + word[1:] for word in name.split("_")),
    }
