"""beartype as the run-time checker of shapes, with an int allowed where a float is asked for."""

import functools
import inspect
import types
import typing

import jaxtyping
from beartype import BeartypeConf, beartype

typechecked = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check_shapes_of(packages):
    """Check the arguments and returns of every function of the packages, which are imported later."""
    jaxtyping.jaxtyped = _shapes_aside(jaxtyping.jaxtyped)
    jaxtyping.install_import_hook(packages, "tests.typechecker.typechecked")


def _shapes_aside(jaxtyped):
    """jaxtyping's decorator for functions with shapes, and beartype's alone for all others.

    jaxtyping binds the arguments of each call and checks them twice, so that shapes can be compared.
    """

    def decorated(fn=None, *, typechecker):
        if fn is None:
            return functools.partial(decorated, typechecker=typechecker)
        if isinstance(fn, classmethod | staticmethod):
            return type(fn)(decorated(fn.__func__, typechecker=typechecker))
        if isinstance(fn, property):
            return property(*(f and decorated(f, typechecker=typechecker) for f in (fn.fget, fn.fset, fn.fdel)))
        if isinstance(fn, types.FunctionType) and not inspect.isgeneratorfunction(fn):
            hints = _hints(fn)
            if not any(map(_has_shape, hints.values())):
                return _checked(fn, hints, typechecker)
        return jaxtyped(fn, typechecker=typechecker)

    return decorated


def _hints(fn):
    """The annotations that can be read when the function is made, as jaxtyping has them."""
    hints = {}
    for name, annotation in fn.__annotations__.items():
        alone = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            hints |= typing.get_type_hints(alone, fn.__globals__, include_extras=True)
        except Exception:  # names that exist for type checkers alone
            continue
    return hints


def _has_shape(hint):
    if isinstance(hint, list):  # the arguments of a Callable
        return any(map(_has_shape, hint))
    return type(hint).__module__.startswith("jaxtyping") or any(map(_has_shape, typing.get_args(hint)))


def _checked(fn, hints, typechecker):
    twin = types.FunctionType(fn.__code__, fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__)
    functools.update_wrapper(twin, fn)
    del twin.__wrapped__
    twin.__kwdefaults__, twin.__annotations__ = fn.__kwdefaults__, hints
    twin = typechecker(twin)

    @functools.wraps(fn)
    def wrapped(*args, **kwargs):
        if jaxtyping.config.jaxtyping_disable:
            return fn(*args, **kwargs)
        return twin(*args, **kwargs)

    return wrapped
