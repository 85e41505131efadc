"""What is checked: a component with its options, from any of the forms in which it may be given."""

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stnkit.errors import DataError, InputError, StnkitError
from stnkit.plugin_system.building import construct
from stnkit.plugin_system.components import Component
from stnkit.plugin_system.kinds import KINDS, Kind, kind_named, kind_of
from stnkit.plugin_system.options import options_of
from stnkit.plugin_system.registry import plugin_registry
from stnkit.testing.assertions import NotApplicable

# What the program might supply: the components that are built for images may refuse some of these, not all.
IMAGE_SHAPES = [(1, 28, 28), (3, 40, 33), (2, 24, 32), (1, 60, 60), (1, 16, 16, 16)]
N_CLASSES = 7


class NotBuilt(NotApplicable):
    """It could not be constructed, and why: the check of its construction fails, all others have no object."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A component that is checked.

    Args:
        label: what reports call it, `kind.name` and options.
        kind: its kind.
        component: None where an object was given.
        options: of its constructor, and what the program supplies where one value is wanted.
        instance: the object that was given, or None.
        kept: what is expensive to make and serves several checks.
    """

    label: str
    kind: Kind
    component: Component | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    instance: Any = None
    kept: dict[str, Any] = field(default_factory=dict)

    def with_options(self, **options: Any) -> "Subject":
        """The same component with other options.

        Args:
            options: beside those there are, or in place of them.
        """
        return dataclasses.replace(self, options={**self.options, **options}, kept={})

    def built(self, **supplied: Any) -> Any:
        """A new object of the component, or the one that was given.

        Args:
            supplied: what the program supplies.

        Raises:
            NotBuilt: when the constructor raises.
        """
        try:
            return self.constructed(**supplied)
        except DataError as error:
            raise NotApplicable(f"its data is not here: {error}") from error
        except Exception as error:
            raise NotBuilt(f"it cannot be built: {one_line(error)}") from error

    def another(self) -> Any:
        """A new object of the component, or a copy of the one that was given, which may be changed.

        Raises:
            NotApplicable: when the one that was given cannot be copied, as another check tells.
        """
        if self.component is not None:
            return self.built()
        try:
            return copy.deepcopy(self.instance)
        except Exception as error:
            raise NotApplicable("it takes a second object, and this one cannot be copied") from error

    def constructed(self, **supplied: Any) -> Any:
        """The same, with the constructor's own errors."""
        if self.component is None:
            return self.instance
        fixed = {key: value for key, value in self.options.items() if key in self.kind.supplied}
        # As the program supplies a shape.
        fixed = {key: tuple(value) if isinstance(value, list) else value for key, value in fixed.items()}
        options = {key: value for key, value in self.options.items() if key not in fixed}
        return construct(self.component, options, {**supplied, **fixed})

    def for_images(self, shapes: Sequence[tuple[int, ...]] = IMAGE_SHAPES) -> Iterator[tuple[tuple[int, ...], Any]]:
        """A new object for each of several shapes of images, without those that it refuses by an InputError.

        Args:
            shapes: (C, *size) of each, in place of which stands the one that is among the options.

        Raises:
            NotBuilt: when it refuses all, or raises something else.
        """
        (name,) = {"in_shape", "image_shape"} & set(self.kind.supplied)
        shapes = [tuple(self.options[name])] if name in self.options else shapes
        classes = {"n_classes": N_CLASSES} if "n_classes" in self.kind.supplied else {}
        refused: list[str] = []
        for shape in shapes:
            try:
                made = self.constructed(**{name: shape}, **classes)
            except InputError as error:
                refused.append(str(error))
            except DataError as error:
                raise NotApplicable(f"its data is not here: {error}") from error
            except Exception as error:
                raise NotBuilt(f"it cannot be built for images of {list(shape)}: {one_line(error)}") from error
            else:
                yield shape, made
        if len(refused) == len(shapes):
            raise NotBuilt(f"it refuses images of {', '.join(str(list(s)) for s in shapes)}: {refused[0]}")


def one_line(error: BaseException) -> str:
    """The message of an error, shortened to a line; with its type, unless it is a sentence of ours."""
    text = " ".join(str(error).split())
    short = f"{text[:300]}{'…' if len(text) > 300 else ''}"
    return short if isinstance(error, StnkitError) else f"{type(error).__name__}: {short}"


def subject_of(component: Any, options: Mapping[str, Any]) -> Subject:
    """The subject that is meant by a Component, a class, `"kind.name"`, a mapping with such a name, or an object.

    Args:
        component: in any of these forms.
        options: of its constructor.

    Raises:
        InputError: when it is none of these, an option does not exist, or an object is given with options or of a
            kind whose objects are built for the images of a run.
        UnknownNameError: when no component of that name is installed.
    """
    if isinstance(component, Mapping):
        inside = {str(key): value for key, value in component.items()}
        return subject_of(inside.pop("name", None), {**inside, **options})
    if isinstance(component, str):
        kind, dot, name = component.partition(".")
        if not dot:
            raise InputError(
                f"an installed component is named by its kind and name, such as transform.affine, but "
                f"{component!r} was given"
            )
        component = plugin_registry().component(kind_named(kind).name, name)
    elif isinstance(component, type):
        component = Component(component.__name__, component)
    if isinstance(component, Component):
        _check_options(component, options)
        return Subject(_label(f"{component.kind.name}.{component.name}", options), component.kind, component, options)
    return _of_object(component, options)


def _of_object(instance: Any, options: Mapping[str, Any]) -> Subject:
    kinds = [kind for kind in KINDS.values() if isinstance(instance, kind.base_class())]
    if not kinds:
        raise InputError(
            f"what is checked must be a stnkit.Component, a class, an object, or the name of an installed component "
            f"with its kind, such as 'transform.affine', but {instance!r} was given"
        )
    kind, name = kind_of(type(instance)), type(instance).__name__
    if kind.supplied:
        raise InputError(
            f"a {kind.name} is built for the images of a run ({', '.join(kind.supplied)}), and is checked "
            f"with several: give the class {name}, not an object"
        )
    if options:
        raise InputError(f"an object of {name} is made already: options ({', '.join(options)}) go with its class")
    return Subject(f"{kind.name}.{name}", kind, instance=instance)


def _check_options(component: Component, options: Mapping[str, Any]) -> None:
    try:
        known = [option.name for option in options_of(component)]
    except InputError:
        return  # a constructor that cannot be read is for the check of the construction to tell
    for name in options:
        if name not in (*known, *component.kind.supplied):
            raise InputError(
                f"{component.kind.name} {component.name!r} has no option {name!r}; "
                f"its options are: {', '.join(known) or 'none'}"
            )


def _label(name: str, options: Mapping[str, Any]) -> str:
    listed = ",".join(f"{key}={value}" for key, value in options.items())
    return f"{name}({listed})".replace(" ", "") if listed else name
