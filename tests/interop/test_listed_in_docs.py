"""The tables of docs/coming-from.md and docs/itk.md against the functions of `stnkit.interop`."""

import inspect
from pathlib import Path

import pytest

from stnkit import interop

DOCS = Path(__file__).parents[2] / "docs"


def functions():
    """Each public function as `module.name`, or `name` where it belongs to no tool."""
    for name in interop.__all__:
        member = getattr(interop, name)
        if not inspect.ismodule(member):
            yield name
            continue
        for function, value in inspect.getmembers(member, inspect.isfunction):
            if not function.startswith("_") and value.__module__.startswith(member.__name__):
                yield f"{name}.{function}"


@pytest.mark.parametrize("function", list(functions()))
def test_each_conversion_is_listed_in_the_docs(function):
    assert f"{function}(" in "".join((DOCS / name).read_text() for name in ("coming-from.md", "itk.md")) or (
        f"`interop.{function}`" in (DOCS / "coming-from.md").read_text()
    )
