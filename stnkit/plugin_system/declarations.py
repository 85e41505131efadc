"""Declarations of a component's class: the options that control a run, and the components that it suggests."""

from typing import Any

from stnkit.errors import InputError
from stnkit.plugin_system.components import Component
from stnkit.plugin_system.options import options_of

RUN_CONTROL = "run_control_options"
_DECLARATIONS = (RUN_CONTROL,)


def run_control_options(component: Component) -> tuple[str, ...]:
    """The options that control a run and do not change its results, such as the place of the data.

    A name that a class inherits, and its own constructor does not take, is none.

    Args:
        component: registered or not.
    """
    return _declared(component, RUN_CONTROL)


def check_declarations(component: Component) -> None:
    """Raise an InputError for a declared name that is no option of the constructor.

    Args:
        component: that a plugin yields.
    """
    for attribute in _DECLARATIONS:
        where = f"{component.kind.name} {component.name!r}: {component.cls.__qualname__}.{attribute}"
        value = getattr(component.cls, attribute, ())
        if not isinstance(value, tuple | list) or not all(isinstance(name, str) for name in value):
            raise InputError(f"{where}: expected a tuple of the names of options, got {value!r}")
        names = [option.name for option in options_of(component)]
        for name in vars(component.cls).get(attribute, ()):
            if name not in names:
                raise InputError(f"{where}: expected options of the constructor, {', '.join(names)}, got {name!r}")
    for _, attribute in component.kind.suggests:
        name = getattr(component.cls, attribute)
        if name is not None and (not isinstance(name, str) or not name.isidentifier()):
            where = f"{component.kind.name} {component.name!r}: {component.cls.__qualname__}.{attribute}"
            raise InputError(f"{where}: expected the name of a component, got {name!r}")


def suggestions(component: Component) -> dict[str, str]:
    """The names in other config groups that a run has where it chooses none, by these groups.

    Args:
        component: registered or not.
    """
    named = {group: getattr(component.cls, attribute) for group, attribute in component.kind.suggests}
    return {group: name for group, name in named.items() if name is not None}


def _declared(component: Component, attribute: str) -> tuple[str, ...]:
    declared: Any = getattr(component.cls, attribute, ())
    return tuple(option.name for option in options_of(component) if option.name in declared)
