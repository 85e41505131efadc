"""The check of final methods, the same for every kind that has some."""

from stnkit.contract import advice
from stnkit.testing.assertions import CheckFailed
from stnkit.testing.component_under_test import ComponentUnderTest


def final_methods(under_test: ComponentUnderTest) -> None:
    """No class overrides a final method of the contract, which checks its arguments and then calls the author's own."""
    classes = under_test.cls.__mro__
    for index, contract in enumerate(classes):
        for name, value in vars(contract).items():
            if not getattr(value, "__final__", False):
                continue
            for cls in classes[:index]:
                if name in vars(cls):
                    instead = advice(under_test.cls, name)
                    raise CheckFailed(f"{cls.__qualname__} overrides {name}, which is final: {instead}")
