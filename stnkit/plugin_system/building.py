"""`stnkit.build`: a component from its name and options. Only what is registered can be built."""

from collections.abc import Mapping
from typing import Any

from stnkit.contract import COUNT, SHAPE, Requirement
from stnkit.errors import InputError, StnkitError, one_line, retold
from stnkit.plugin_system.components import Component
from stnkit.plugin_system.kinds import kind_named
from stnkit.plugin_system.options import parameters_of, validate_options
from stnkit.plugin_system.registry import plugin_registry

# The arguments that the program supplies: see `kinds`.
SUPPLIED: dict[str, Requirement] = {"in_shape": SHAPE, "image_shape": SHAPE, "n_classes": COUNT}


def build(kind: str, name_or_mapping: str | Mapping[str, Any], /, **options: Any) -> Any:
    """The component of that kind and name, made with the given options.

    Args:
        kind: transform, localizer, sampler, network, dataset, distortion or objective.
        name_or_mapping: a name, or a mapping with `name` and options.
        options: more options, which override those of the mapping, and the arguments that the program supplies for
            that kind (`in_shape`, `n_classes`, `image_shape`), passed to components that take them. A transform may
            take `in_shape`, (C, *size) of the images, for options that follow from it.

    Raises:
        UnknownNameError: when there is no such component.
        PluginError: when two distributions provide it.
        InputError: when an option does not exist, has the wrong type, or is refused by the constructor.

    Example:
        >>> import stnkit
        >>> stnkit.build("transform", "affine", ndim=3).n_params
        12
        >>> stnkit.build("sampler", {"name": "nearest", "padding": "border"})
        Nearest(padding='border')
    """
    supplied_names = kind_named(kind).of_the_program
    component, chosen = chosen_component(kind, name_or_mapping)
    supplied = {key: value for key, value in options.items() if key in supplied_names}
    chosen.update({key: value for key, value in options.items() if key not in supplied_names})
    return construct(component, chosen, supplied)


def chosen_component(kind: str, name_or_mapping: str | Mapping[str, Any]) -> tuple[Component, dict[str, Any]]:
    """The component of that kind and name, and the options of a mapping.

    Args:
        kind: of the component.
        name_or_mapping: as `build` takes it.

    Raises:
        UnknownNameError: when there is no such component.
        PluginError: when two distributions provide it.
        InputError: when it is neither a name nor a mapping with one.
    """
    name, options = name_and_options(kind, name_or_mapping)
    return plugin_registry().component(kind, name), options


def construct(component: Component, options: Mapping[str, Any], supplied: Mapping[str, Any]) -> Any:
    """An object of a component, registered or not.

    Args:
        component: its name and class.
        options: of the constructor, as a config holds them.
        supplied: arguments of the program, passed if the constructor takes them.

    Raises:
        InputError: when an option does not exist, has the wrong type, or is refused by the constructor.
    """
    kind, name = component.kind.name, component.name
    arguments = validate_options(component, options)
    taken = {parameter.name for parameter in parameters_of(component)}
    arguments.update({key: value for key, value in supplied.items() if key in taken})
    missing = [key for key in component.kind.supplied if key in taken and key not in supplied]
    if missing:
        raise InputError(f"{kind} {name!r} is built with {', '.join(missing)}, which the program must supply")
    for key, requirement in SUPPLIED.items():
        if key in taken and key in supplied and not requirement.holds(supplied[key]):
            raise InputError(f"{kind} {name!r}: {key}: expected {requirement.words}, got {supplied[key]!r}")
    try:
        return component.cls(**arguments)
    except StnkitError as error:
        retold(error, f"{kind} {name!r}: {error}")
        raise
    except (ValueError, OverflowError) as error:
        raise InputError(f"{kind} {name!r}: {error}") from error
    except OSError as error:
        raise InputError(f"{kind} {name!r}: {one_line(error)}") from error
    except SystemExit as end:
        raise InputError(f"{kind} {name!r}: its constructor has exited, with code {end.code!r}") from end


def name_and_options(kind: str, given: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of a component and its options, registered or not.

    Args:
        kind: of the component.
        given: a name, or a mapping with `name` and options.

    Raises:
        InputError: when it is neither a name nor a mapping with one.

    Example:
        >>> name_and_options("transform", {"name": "affine", "ndim": 3})
        ('affine', {'ndim': 3})
    """
    if isinstance(given, str):
        return given, {}
    if isinstance(given, Mapping) and isinstance(given.get("name"), str):
        options = {str(key): value for key, value in given.items()}
        # A config's fixed name is an enum whose value is the name.
        return str(getattr(options["name"], "value", options["name"])), {
            k: v for k, v in options.items() if k != "name"
        }
    raise InputError(
        f"{kind}: expected a name, or a mapping with a name and options, such as {{'name': ..., 'option': ...}}, "
        f"got {given!r}"
    )
