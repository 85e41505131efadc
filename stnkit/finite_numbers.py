"""Finite numbers: those that a float can hold. A whole number may be larger, and `math.isfinite` raises for it."""

import math
import numbers
from typing import Any


def is_finite(value: Any) -> bool:
    """True for what is neither infinite nor NaN, nor too large for a float.

    Args:
        value: a number of any library.

    Example:
        >>> from stnkit.finite_numbers import is_finite
        >>> is_finite(10**308), is_finite(10**309), is_finite(float("nan"))
        (True, False, False)
    """
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_finite_number(value: Any) -> bool:
    """True for a real number that is finite; False for anything else, and for True and False.

    Args:
        value: anything.

    Example:
        >>> from stnkit.finite_numbers import is_finite_number
        >>> is_finite_number(2), is_finite_number("2"), is_finite_number(True)
        (True, False, False)
    """
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and is_finite(value)
