"""ITK's transforms as values: a name, parameters and fixed parameters."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from stnkit.errors import InputError

COMPOSITE = "CompositeTransform"
_TYPE = re.compile(r"(\w+?)_(?:double|float)_([23])_([23])")


@dataclass(frozen=True, eq=False)
class Transform:
    """One transform of ITK: a map from physical points of the fixed image to those of the moving one.

    Args:
        name: of ITK's class, such as AffineTransform.
        ndim: number of dimensions, 2 or 3.
        parameters: in ITK's order.
        fixed_parameters: such as a center or the lattice of a field, in ITK's order.

    Example:
        >>> import numpy as np
        >>> from stnkit.interop import itk
        >>> itk.Transform("TranslationTransform", 2, np.array([3.0, 4.0]), np.array([])).type_name
        'TranslationTransform_double_2_2'
    """

    name: str
    ndim: int
    parameters: Float[np.ndarray, "P"]
    fixed_parameters: Float[np.ndarray, "F"]

    @property
    def type_name(self) -> str:
        """The class as files spell it, such as AffineTransform_double_3_3."""
        return type_name(self.name, self.ndim)


# Transforms one after another, in the order of ITK's composite: the last acts first.
Chain = tuple[Transform, ...]


def type_name(name: str, ndim: int) -> str:
    """The class of a transform as files spell it.

    Args:
        name: of the class.
        ndim: number of dimensions.
    """
    return f"{name}_double_{ndim}_{ndim}"


def of_type_name(type_name: str, parameters: Iterable[float], fixed_parameters: Iterable[float]) -> Transform:
    """The transform of a file's entry.

    Args:
        type_name: such as AffineTransform_double_3_3 or …_float_2_2.
        parameters: in ITK's order.
        fixed_parameters: likewise.

    Raises:
        InputError: when the name is of another form, or between different numbers of dimensions.
    """
    match = _TYPE.fullmatch(type_name)
    if match is None or match[2] != match[3]:
        raise InputError(f"expected the type of a transform in 2 or 3 dimensions, got {type_name!r}")
    arrays = (np.array(list(values), dtype=np.float64) for values in (parameters, fixed_parameters))
    return Transform(match[1], int(match[2]), *arrays)
