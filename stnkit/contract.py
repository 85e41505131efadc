"""The base of all contracts: final methods and abstract attributes.

A method of a contract is abstract (the author writes it), final (nobody overrides it), or an optional hook, which has a
default and says so in its docstring. `grid` is final and calls `_grid`, the author's.
"""

import abc
import inspect
from typing import Any, ClassVar

from stnkit.errors import InputError
from stnkit.renaming import tell_renamed


class ContractMeta(abc.ABCMeta):
    """The metaclass of contracts: an object is checked for abstract attributes when its constructor returns."""

    def __call__(cls, /, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        for contract in cls.__mro__:
            for name in vars(contract).get("abstract_attributes", ()):
                if not hasattr(made, name):
                    article = "an" if contract.__name__[0] in "AEIOU" else "a"
                    raise InputError(f"{cls.__qualname__} sets no {name}, which {article} {contract.__name__} must set")
        return made

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of the constructor, which `__call__` would hide."""
        constructor = inspect.signature(cls.__init__)  # type: ignore[misc]
        return constructor.replace(parameters=list(constructor.parameters.values())[1:])


class Contract(metaclass=ContractMeta):
    """A base class for plugin authors.

    A class that overrides a final method, as plugin API 1 allowed, works in this version and is told once, when it is
    defined, what to rename.

    Attributes:
        abstract_attributes: names that a subclass or its constructor sets.
        renamed_methods: methods that authors implemented in plugin API 1, and their successors.
    """

    abstract_attributes: ClassVar[tuple[str, ...]] = ()
    renamed_methods: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in overridden_finals(cls):
            tell_renamed(f"{cls.__qualname__} overrides {name}, which is final since plugin API 2: {advice(cls, name)}")


def overridden_finals(cls: type) -> list[str]:
    """The names that a class itself defines and that are final in one of its bases.

    Args:
        cls: any class.
    """
    return [
        name for name in vars(cls) if any(getattr(vars(base).get(name), "__final__", False) for base in cls.__mro__[1:])
    ]


def advice(cls: type, name: str) -> str:
    """The rest of a sentence: what to do about a final method that `cls` overrides."""
    for base in cls.__mro__:
        renamed = vars(base).get("renamed_methods", {})
        if name in renamed:
            return f"rename it to {renamed[name]}"
    return "leave it out"
