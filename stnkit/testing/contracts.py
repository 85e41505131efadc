"""The check of final methods, the same for every kind that has some."""

import sys

from stnkit.contract import advice
from stnkit.plugin_system import API_VERSION
from stnkit.testing.assertions import CheckFailed, NotApplicable
from stnkit.testing.component_under_test import ComponentUnderTest


def final_methods(under_test: ComponentUnderTest) -> None:
    """No class overrides a final method of the contract, which checks its arguments and then calls the author's own.

    A module with `stnkit_api = 1` may: its methods work in this version.
    """
    if getattr(sys.modules.get(under_test.cls.__module__), "stnkit_api", API_VERSION) < API_VERSION:
        raise NotApplicable(f"{under_test.cls.__module__} is written for an older plugin API")
    classes = under_test.cls.__mro__
    for index, contract in enumerate(classes):
        for name, value in vars(contract).items():
            if not getattr(value, "__final__", False):
                continue
            for cls in classes[:index]:
                if name in vars(cls):
                    instead = advice(under_test.cls, name)
                    raise CheckFailed(f"{cls.__qualname__} overrides {name}, which is final: {instead}")
