import doctest
import inspect

import pytest

from stnkit.interop import itk

pytestmark = pytest.mark.no_jaxtyping


@pytest.mark.parametrize("name", itk.__all__)
def test_a_public_name_has_an_example_that_runs(name):
    document = inspect.getdoc(getattr(itk, name))
    assert "Example:\n" in document
    test = doctest.DocTestParser().get_doctest(document, {}, name, None, None)
    told = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=told.append)
    assert not told, "".join(told)
