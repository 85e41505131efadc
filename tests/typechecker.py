"""beartype as the run-time checker of shapes, with an int allowed where a float is asked for."""

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, get_args

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray

typechecked = beartype(conf=BeartypeConf(is_pep484_tower=True))
_jaxtyped = jaxtyping.jaxtyped


def jaxtyped(function: Any = None, *, typechecker: Any) -> Any:
    """That of jaxtyping, which binds and checks all arguments twice, for functions whose annotations have shapes.

    Of any other, such as those that samplers call for each tap, the arguments and what is returned are checked once.
    """
    if function is None:
        return functools.partial(jaxtyped, typechecker=typechecker)
    if not inspect.isfunction(function) or any(map(_has_shapes, function.__annotations__.values())):
        return _jaxtyped(function, typechecker=typechecker)
    return _switched(function, typechecker(function))


def _has_shapes(annotation: Any) -> bool:
    if isinstance(annotation, str):  # a name for type checkers alone: jaxtyping leaves it out
        return True
    return (inspect.isclass(annotation) and issubclass(annotation, AbstractArray)) or any(
        map(_has_shapes, get_args(annotation))
    )


def _switched(function: Callable[..., Any], checked: Callable[..., Any]) -> Callable[..., Any]:
    """The checked function, unless the marker `no_jaxtyping` has switched checks off."""
    if checked is function:
        return function

    config = jaxtyping.config

    def switched(*args: Any, **kwargs: Any) -> Any:
        return (function if config.jaxtyping_disable else checked)(*args, **kwargs)

    # In the module of the function: what asks for its caller sees no other.
    there = types.FunctionType(switched.__code__, function.__globals__, closure=switched.__closure__)
    return functools.wraps(function)(there)
