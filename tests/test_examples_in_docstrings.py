"""Every public class and function, and every component, has an example in its docstring, and it runs."""

import doctest
import inspect

import pytest
import torch

import stnkit
from stnkit.plugin_system.registry import plugin_registry

PUBLIC = [name for name in stnkit.__all__ if stnkit._MODULES[name] and name not in ("hookimpl", "load_run")]
COMPONENTS = [e for e in plugin_registry().registered if e.source.distribution == "stnkit"]

pytestmark = pytest.mark.no_jaxtyping


def run(name, thing):
    document = inspect.getdoc(thing) or ""
    assert "Example:\n" in document, f"{name} has no example"
    test = doctest.DocTestParser().get_doctest(document, {}, name, None, None)
    assert test.examples
    torch.manual_seed(0)
    told = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_an_example_that_runs(name):
    run(name, getattr(stnkit, name))


@pytest.mark.parametrize("entry", COMPONENTS, ids=lambda e: f"{e.kind}-{e.name}")
def test_a_component_has_an_example_that_runs(entry, request):
    if entry.name == "timm":
        request.getfixturevalue("timm")
    run(entry.name, entry.component.cls)
