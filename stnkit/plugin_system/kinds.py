"""The kinds of components: their base classes, and the constructor parameters that the program supplies."""

import functools
import importlib
from dataclasses import dataclass

from stnkit.errors import InputError


@dataclass(frozen=True)
class Kind:
    """A kind of component.

    Args:
        name: in configs and on the command line.
        module: of the base class, imported when it is needed.
        base: name of the base class.
        supplied: constructor parameters that the program supplies and a config never sets.
        offered: the same, for parameters with a default: the program supplies them where it knows them.
        suggests: other config groups of which a component names one for runs that choose none, with the class attribute
            that does; None there names none.
    """

    name: str
    module: str
    base: str
    supplied: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    suggests: tuple[tuple[str, str], ...] = ()

    @property
    def of_the_program(self) -> tuple[str, ...]:
        """The constructor parameters that a config never sets."""
        return (*self.supplied, *self.offered)

    @functools.cache  # noqa: B019 kinds are constants
    def base_class(self) -> type:
        """The class from which every component of this kind derives."""
        base: type = getattr(importlib.import_module(self.module), self.base)
        return base


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("transform", "stnkit.families", "TransformFamily", offered=("in_shape",)),
        Kind("localizer", "stnkit.localizers", "Localizer", supplied=("in_shape",)),
        Kind("sampler", "stnkit.samplers", "Sampler"),
        Kind("network", "stnkit.networks", "Network", supplied=("in_shape", "n_classes")),
        Kind(
            "dataset",
            "stnkit.datasets",
            "Dataset",
            suggests=(("distortion", "default_distortion"), ("objective", "default_objective")),
        ),
        Kind("distortion", "stnkit.distortions", "Distortion", supplied=("image_shape",)),
        Kind(
            "objective",
            "stnkit.objectives",
            "Objective",
            offered=("n_classes", "in_shape"),
            suggests=(("network", "default_network"), ("placement", "default_placement")),
        ),
    )
}


def kind_named(name: str) -> Kind:
    """The kind of that name.

    Raises:
        InputError: when there is none.
    """
    if name not in KINDS:
        raise InputError(f"there is no kind {name!r}; the kinds are {', '.join(KINDS)}")
    return KINDS[name]


def kind_of(cls: type) -> Kind:
    """The kind whose base class `cls` derives from.

    Raises:
        InputError: when it derives from none.
    """
    for kind in KINDS.values():
        if issubclass(cls, kind.base_class()):
            return kind
    bases = ", ".join(kind.base for kind in KINDS.values())
    raise InputError(f"{cls.__module__}.{cls.__qualname__} derives from no base class of stnkit: {bases}")
