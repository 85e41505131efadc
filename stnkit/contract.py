"""The base of all contracts: final methods and abstract attributes.

A method of a contract is abstract (the author writes it), final (nobody overrides it), or an optional hook, which has a
default and says so in its docstring. `grid` is final and calls `_grid`, the author's.
"""

import abc
import inspect
import numbers
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from stnkit.errors import InputError
from stnkit.finite_numbers import is_finite_number
from stnkit.listed import with_article
from stnkit.renaming import tell_renamed

# By its name: torch takes a second to import.
_MODULE = "torch.nn.modules.module.Module"
# In torch's errors for a module, a parameter or a buffer that is set too early.
_TORCHS_ADVICE = "before Module.__init__() call"


class Requirement(NamedTuple):
    """The values that an abstract attribute may have.

    Args:
        words: for the sentence, behind "expected".
        holds: True for such a value.
    """

    words: str
    holds: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


WHOLE_NUMBER = Requirement("a whole number of at least 0", lambda value: _is_whole(value) and value >= 0)
COUNT = Requirement("a whole number of at least 1", lambda value: _is_whole(value) and value >= 1)
POSITIVE_NUMBER = Requirement(
    "a finite number above 0",
    lambda value: is_finite_number(value) and value > 0,
)
TRUTH = Requirement("True or False", lambda value: isinstance(value, bool))
SHAPE = Requirement(
    "positive whole numbers",
    lambda value: isinstance(value, Sequence) and len(value) > 0 and all(_is_whole(n) and n > 0 for n in value),
)


SHAPE_OR_NONE = Requirement(f"{SHAPE.words} or None", lambda value: value is None or SHAPE.holds(value))
DIMENSIONS = Requirement("2 or 3", lambda value: _is_whole(value) and value in (2, 3))
MAPPING = Requirement("a mapping", lambda value: isinstance(value, Mapping))


class ContractMeta(abc.ABCMeta):
    """The metaclass of contracts: an object is checked for abstract attributes when its constructor returns."""

    def __call__(cls, /, *args: Any, **kwargs: Any) -> Any:
        try:
            made = super().__call__(*args, **kwargs)
        except AttributeError as error:
            if _TORCHS_ADVICE in str(error) and isinstance(_failed(error), cls):
                raise InputError(_not_made(cls)) from error
            raise
        if (
            isinstance(made, cls)
            and "_modules" not in vars(made)
            and any(f"{c.__module__}.{c.__name__}" == _MODULE for c in cls.__mro__)
        ):
            raise InputError(_not_made(cls))
        for contract in cls.__mro__:
            for name, requirement in vars(contract).get("abstract_attributes", {}).items():
                _check_attribute(made, name, requirement, contract.__name__)
            for name in vars(contract).get("renamed_methods", {}).values():
                if name in vars(contract) and not callable(getattr(made, name)):
                    raise InputError(_not_a_hook(cls, contract, name, getattr(made, name)))
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
        abstract_attributes: names that a subclass or its constructor sets, and what they may be set to.
        renamed_methods: methods that authors implemented in plugin API 1, and their successors.
        run_control_options: options that control a run and do not change its results, such as the place of the data:
            two runs that differ in them alone are the same job.
    """

    abstract_attributes: ClassVar[dict[str, Requirement]] = {}
    renamed_methods: ClassVar[dict[str, str]] = {}
    run_control_options: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for contract in cls.__mro__[1:]:
            for name in vars(contract).get("renamed_methods", {}).values():
                if name in vars(cls) and name in vars(contract) and not _takes_the_same(cls, contract, name):
                    raise InputError(_not_a_hook(cls, contract, name, vars(cls)[name]))
        for name in overridden_finals(cls):
            tell_renamed(f"{cls.__qualname__} overrides {name}, which is final since plugin API 2: {advice(cls, name)}")


def _failed(error: BaseException) -> object:
    """The object whose method has raised an error: a module that a constructor makes may be the one."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1].f_locals.get("self")


def _not_made(cls: type) -> str:
    return f"{cls.__qualname__}.__init__: expected a call of super().__init__() before all else, got none"


def overridden_finals(cls: type) -> list[str]:
    """The names that a class itself defines, or a mixin that it adds, and that are final in a contract behind it.

    Args:
        cls: any class.
    """
    told = {base for parent in cls.__bases__ if issubclass(parent, Contract) for base in parent.__mro__}
    order = cls.__mro__
    found: dict[str, None] = {}
    for index, definer in enumerate(order):
        if definer not in told:
            behind = [base for base in order[index + 1 :] if base.__module__.partition(".")[0] == "stnkit"]
            finals = {name for base in behind for name, value in vars(base).items() if hasattr(value, "__final__")}
            found |= {name: None for name in vars(definer) if name in finals}
    return list(found)


def advice(cls: type, name: str) -> str:
    """The rest of a sentence: what to do about a final method that `cls` overrides."""
    for base in cls.__mro__:
        renamed = vars(base).get("renamed_methods", {})
        if name in renamed:
            return f"rename it to {renamed[name]}"
    for base in cls.__mro__[1:]:
        if getattr(vars(base).get(name), "__isabstractmethod__", False):
            return f"leave it out, or derive from {base.__name__}"
    return "leave it out"


def _check_attribute(made: Any, name: str, requirement: Requirement, contract: str) -> None:
    cls = type(made)
    try:
        value = getattr(made, name)
    except AttributeError:
        declared = inspect.getattr_static(made, name, None)
        if isinstance(declared, property) and declared.fget:
            # nn.Module replaces the error of a property by one that says there is no such attribute.
            declared.fget(made)
        raise InputError(f"{cls.__qualname__} sets no {name}, which {with_article(contract)} must set") from None
    if not requirement.holds(value):
        raise InputError(f"{cls.__qualname__}.{name}: expected {requirement.words}, got {value!r}")


def _takes_the_same(cls: type, contract: type, name: str) -> bool:
    """False for a name of an author's own that became a hook in plugin API 2."""
    theirs = vars(cls)[name]
    if not inspect.isfunction(theirs):
        return callable(theirs) or isinstance(theirs, (staticmethod, classmethod))
    try:
        inspect.signature(theirs).bind(*inspect.signature(vars(contract)[name]).parameters)
    except TypeError:
        return False
    return True


def _not_a_hook(cls: type, contract: type, name: str, given: Any) -> str:
    _, *parameters = inspect.signature(vars(contract)[name]).parameters
    got = f"{name}{inspect.signature(given)}" if inspect.isfunction(given) else f"{type(given).__name__}"
    hook = f"the hook {name}({', '.join(parameters)}) of {contract.__name__}"
    return f"{cls.__qualname__}.{name}: expected {hook}, got {got}: give what is not this hook another name"
