import doctest
import importlib
import inspect
import pkgutil

import pytest

import stnkit

MODULES = [importlib.import_module(f"stnkit.interop.{m.name}") for m in pkgutil.iter_modules(stnkit.interop.__path__)]
FUNCTIONS = [
    pytest.param(function, id=f"{module.__name__.rpartition('.')[2]}.{name}")
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and not name.startswith("_")
]


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_an_example_that_runs(function):
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(function), {}, function.__name__, None, None)
    assert test.examples
    told = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=told.append)
    assert not told, "".join(told)
