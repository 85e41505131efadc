"""Every public class and function, every component and what contracts are made of has an example, and it runs."""

import doctest
import inspect

import pytest
import torch

import stnkit
from stnkit.numpy_arrays import as_tensor
from stnkit.plugin_system.registry import plugin_registry

PUBLIC = [name for name in stnkit.__all__ if stnkit._MODULES[name] and name not in ("hookimpl", "load_run")]
COMPONENTS = [e for e in plugin_registry().registered if e.source.distribution == "stnkit"]

CLASSES = [
    thing
    for module in (stnkit.families, stnkit.objectives, stnkit.samplers)
    for name, thing in vars(module).items()
    if inspect.isclass(thing) and thing.__module__.startswith(module.__name__) and not name.startswith("_")
]
# A check has its sentence for an example.
FUNCTIONS = [
    name
    for name, thing in vars(stnkit.coordinates).items()
    if inspect.isfunction(thing) and not name.startswith(("_", "check_")) and thing is not as_tensor
]
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


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_public_class_one_level_down_has_an_example_that_runs(cls):
    run(cls.__name__, cls)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_coordinates_has_an_example_that_runs(name):
    run(name, getattr(stnkit.coordinates, name))


@pytest.mark.parametrize("entry", COMPONENTS, ids=lambda e: f"{e.kind}-{e.name}")
def test_a_component_has_an_example_that_runs(entry, request):
    if entry.name == "timm":
        request.getfixturevalue("timm")
    run(entry.name, entry.component.cls)
