"""ComponentUnderTest: a component with its options, from any of the forms in which it may be given."""

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stnkit.errors import DataError, InputError, NotInstalledError, one_line
from stnkit.plugin_system import KINDS, Component, Kind, construct, kind_named, kind_of, options_of, plugin_registry
from stnkit.testing.assertions import LONGEST_REASON, NotApplicable, NotBuilt
from stnkit.testing.image_shapes import TYPICAL, ImageShapes, find_image_shapes

N_CLASSES = 7


@dataclass(frozen=True, eq=False)
class ComponentUnderTest:
    """A component that is checked.

    Args:
        label: its name in results, `kind.name` and options.
        kind: its kind.
        component: None where an object was given.
        options: of its constructor, and fixed values for what the program supplies.
        instance: the object that was given, or None.
        cached: results that several checks share and none changes.
    """

    label: str
    kind: Kind
    component: Component | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    instance: Any = None
    cached: dict[str, Any] = field(default_factory=dict)

    @property
    def cls(self) -> type:
        """The class of the component."""
        return type(self.instance) if self.component is None else self.component.cls

    def with_options(self, **options: Any) -> "ComponentUnderTest":
        """The same component with other options.

        Args:
            options: added to the present ones, or in their place.
        """
        return dataclasses.replace(self, options={**self.options, **options}, cached={})

    def built(self, **supplied: Any) -> Any:
        """A new object of the component, or the object that was given.

        Args:
            supplied: constructor parameters that the program supplies.

        Raises:
            NotBuilt: when the constructor raises.
        """
        try:
            return self.constructed(**supplied)
        except DataError as error:
            raise NotApplicable(f"its data is not here: {error}") from error
        except NotInstalledError as error:
            raise NotApplicable(str(error)) from error
        except Exception as error:
            raise NotBuilt(f"it cannot be built: {one_line(error, LONGEST_REASON)}") from error

    def another(self) -> Any:
        """A new object of the component, or a copy of the object that was given, which may be changed.

        Raises:
            NotApplicable: when the object cannot be copied, which is the finding of another check.
        """
        if self.component is not None:
            return self.built()
        try:
            return copy.deepcopy(self.instance)
        except Exception as error:
            raise NotApplicable("it takes a second object, and this one cannot be copied") from error

    def constructed(self, **supplied: Any) -> Any:
        """The same as `built`, with the errors of the constructor itself."""
        if self.component is None:
            return self.instance
        fixed = {key: value for key, value in self.options.items() if key in self.kind.of_the_program}
        # As the program supplies a shape.
        fixed = {key: tuple(value) if isinstance(value, list) else value for key, value in fixed.items()}
        options = {key: value for key, value in self.options.items() if key not in fixed}
        offered = {"n_classes": N_CLASSES} if "n_classes" in self.kind.offered else {}
        return construct(self.component, options, {**offered, **supplied, **fixed})

    def for_images(self, shapes: Sequence[tuple[int, ...]] | None = None) -> Iterator[tuple[tuple[int, ...], Any]]:
        """A new object for each of several shapes of images, with that shape.

        Args:
            shapes: (C, *size) of each, by default all that it takes.

        Raises:
            NotBuilt: when it refuses all, or raises another error.
        """
        for shape in self.image_shapes().taken if shapes is None else shapes:
            yield shape, self._built_for(shape)

    def check_options_accepted(self) -> None:
        """Build the component once, where options are given.

        Raises:
            InputError: when the constructor refuses the options; any other error is the finding of `construction`.
        """
        if not self.options or self.component is None:
            return
        try:
            if {"in_shape", "image_shape"} & set(self.kind.supplied):
                self.image_shapes()
            else:
                self.built()
        except NotBuilt as refusal:
            if isinstance(refusal.__cause__, InputError):
                raise InputError(str(refusal.__cause__)) from refusal
            if refusal.__cause__ is None:  # all shapes of images are refused: give the reason for one of them
                self._built_for(tuple(self.options.get(self._shape_name(), TYPICAL[0])))
        except NotApplicable:
            return

    def image_shapes(self) -> ImageShapes:
        """The shapes of images that it takes: the fixed one, or the typical ones that it does not refuse.

        Raises:
            NotBuilt: when it refuses all, or raises another error.
        """
        if "image_shapes" not in self.cached:
            name = self._shape_name()
            shapes = [tuple(self.options[name])] if name in self.options else TYPICAL
            self.cached["image_shapes"] = find_image_shapes(shapes, self._built_for)
        shapes_taken: ImageShapes = self.cached["image_shapes"]
        return shapes_taken

    def _shape_name(self) -> str:
        (name,) = {"in_shape", "image_shape"} & set(self.kind.supplied)
        return name

    def _built_for(self, shape: tuple[int, ...]) -> Any:
        classes = {"n_classes": N_CLASSES} if "n_classes" in self.kind.supplied else {}
        with building_for(shape):
            return self.constructed(**{self._shape_name(): shape}, **classes)


@contextlib.contextmanager
def building_for(shape: tuple[int, ...]) -> Iterator[None]:
    """A context that builds a component for images: a refusal passes, any other error is the result of a check.

    Args:
        shape: of the images.

    Raises:
        InputError: as the component does.
        NotApplicable: when its data or a library is missing.
        NotBuilt: for any other error.
    """
    try:
        yield
    except (InputError, NotApplicable):
        raise
    except DataError as error:
        raise NotApplicable(f"its data is not here: {error}") from error
    except NotInstalledError as error:
        raise NotApplicable(str(error)) from error
    except Exception as error:
        reason = one_line(error, LONGEST_REASON)
        raise NotBuilt(f"it cannot be built for images of {list(shape)}: {reason}") from error


def component_under_test(component: Any, options: Mapping[str, Any]) -> ComponentUnderTest:
    """The component that a Component, a class, `"kind.name"`, a mapping with such a name, or an object stands for.

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
        return component_under_test(inside.pop("name", None), {**inside, **options})
    if isinstance(component, str):
        kind, dot, name = component.partition(".")
        if not dot:
            raise InputError(
                f"expected the kind and name of an installed component, such as transform.affine, got {component!r}"
            )
        component = plugin_registry().component(kind_named(kind).name, name)
    elif isinstance(component, type):
        component = Component(component.__name__, component)
    if isinstance(component, Component):
        kind_, label = component.kind, _label(f"{component.kind.name}.{component.name}", options)
        _check_options(component, options)
        return ComponentUnderTest(label, kind_, component, options)
    return _of_object(component, options)


def _of_object(instance: Any, options: Mapping[str, Any]) -> ComponentUnderTest:
    kinds = [kind for kind in KINDS.values() if isinstance(instance, kind.base_class())]
    if not kinds:
        raise InputError(
            f"expected a stnkit.Component, a class, an object, or the kind and name of an installed component, such "
            f"as 'transform.affine', got {instance!r}"
        )
    kind, name = kind_of(type(instance)), type(instance).__name__
    if kind.supplied:
        raise InputError(
            f"a {kind.name} is built for the images of a run ({', '.join(kind.supplied)}) and is checked "
            f"for several: expected the class {name}, got an object of it"
        )
    if options:
        raise InputError(
            f"an object of {name} is already made: expected its class with options ({', '.join(options)}), "
            f"got the object"
        )
    return ComponentUnderTest(f"{kind.name}.{name}", kind, instance=instance)


def _check_options(component: Component, options: Mapping[str, Any]) -> None:
    try:
        known = [option.name for option in options_of(component)]
    except InputError:
        return  # `construction` fails for a constructor that cannot be read
    for name in options:
        if name not in (*known, *component.kind.of_the_program):
            raise InputError(
                f"{component.kind.name} {component.name!r} has no option {name!r}; "
                f"its options are: {', '.join(known) or 'none'}"
            )


def _label(name: str, options: Mapping[str, Any]) -> str:
    listed = ",".join(f"{key}={value}" for key, value in options.items())
    return f"{name}({listed})".replace(" ", "") if listed else name
