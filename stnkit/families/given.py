"""The check of a family that a function is given."""

from stnkit.errors import InputError
from stnkit.families.family import TransformFamily


def check_family(family: TransformFamily) -> None:
    """Raise an InputError unless this is a transform family.

    Args:
        family: of `stnkit.build("transform", …)`.

    Raises:
        InputError: for anything else, such as its name.

    Example:
        >>> import stnkit
        >>> check_family(stnkit.build("transform", "affine"))
    """
    if not isinstance(family, TransformFamily):
        raise InputError(f"family: expected a transform family, got {type(family).__name__}")
