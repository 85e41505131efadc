"""Unit, resolution and direction of the numbers in metrics.json, by their names."""

import re
from dataclasses import dataclass

# Numbers nearer to 0 are rounding noise in float64.
NOISE = 1e-9


@dataclass(frozen=True)
class Quantity:
    """A kind of number.

    Args:
        unit: symbol; empty for a number without unit.
        resolution: smaller numbers are rounding noise, and printed as 0.
        factor: number in that unit / number in metrics.json.
        better: -1 where a smaller number is better, 1 where a larger one is, 0 where neither is.
    """

    unit: str = ""
    resolution: float = NOISE
    better: int = 0
    factor: float = 1


# The first pattern that matches the whole name. Poses are those of θ in float32, of 7 digits.
_PATTERNS = {
    r"rotation_residual": Quantity("°", 1e-4, -1),
    r"rotation_\w+": Quantity("°", 1e-4),
    r"log_scale_residual": Quantity("", 1e-6, -1),
    r"log_scale_\w+": Quantity("", 1e-6),
    r"translation_residual|corner_error_(raw|global|per_class)": Quantity("px", 1e-4, -1),
    r"translation_\w+|corner_error_\w+": Quantity("px", 1e-4),
    r"rectified_variance": Quantity("", 1e-6, -1),
    r"rectified_\w+": Quantity("", 1e-6),
    r"(\w+_)?outside": Quantity("%", factor=100),  # recorded as a share of 1
    r"(\w+_)?error": Quantity("%", better=-1),
    r"(\w+_)?loss": Quantity("", better=-1),
    r"seconds": Quantity("s", better=-1),
    r"images_per_second": Quantity("1/s", better=1),
}


def quantity(metric: str) -> Quantity:
    """The kind of a number in metrics.json.

    Args:
        metric: its name, or a dotted path into mappings and lists, such as `pose.rotation_residual.3`.
    """
    name = next((part for part in reversed(metric.split(".")) if not re.fullmatch(r"-?\d+", part)), metric)
    return next((found for pattern, found in _PATTERNS.items() if re.fullmatch(pattern, name)), Quantity())


def with_unit(metric: str) -> str:
    """The name with its unit, such as `test_error, %`.

    Args:
        metric: as `quantity` takes it.
    """
    unit = quantity(metric).unit
    return f"{metric}, {unit}" if unit else metric
