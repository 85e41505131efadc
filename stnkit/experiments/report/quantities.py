"""Unit, resolution and direction of the numbers in metrics.json: of figures by the record, of others by their names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stnkit.experiments.run_directory.recorded_figures import RecordedFigure

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
        digits: decimals of a number that is not small.
    """

    unit: str = ""
    resolution: float = NOISE
    better: int = 0
    factor: float = 1
    digits: int = 2

    @property
    def arrow(self) -> str:
        """The direction of what is better, or nothing."""
        return {-1: "↓", 0: "", 1: "↑"}[self.better]


_SPLIT = "train_|validation_|test_"
# Units of figures that are computed from θ in float32, of 7 digits.
_OF_THETA = ("px", "°")
# The first pattern that matches the whole name. Poses are those of θ in float32, of 7 digits.
_PATTERNS = {
    r"(validation_)?rotation_residual": Quantity("°", 1e-4, -1),
    r"rotation_\w+": Quantity("°", 1e-4),
    r"log_scale_residual": Quantity("", 1e-6, -1),
    r"log_scale_\w+": Quantity("", 1e-6),
    r"translation_residual|corner_error_(raw|global)|(validation_)?corner_error_per_class": Quantity("px", 1e-4, -1),
    r"translation_\w+|corner_error_\w+": Quantity("px", 1e-4),
    r"rectified_variance": Quantity("", 1e-6, -1),
    r"rectified_\w+": Quantity("", 1e-6),
    rf"({_SPLIT})?outside": Quantity("%", factor=100),  # recorded as a share of 1
    rf"({_SPLIT})?error": Quantity("%", better=-1),
    r"(\w+_)?loss": Quantity("", better=-1),
    r"seconds": Quantity("s", better=-1),
    r"images_per_second": Quantity("1/s", better=1),
}


def quantity(metric: str, figures: Mapping[str, RecordedFigure] | None = None) -> Quantity:
    """The kind of a number in metrics.json.

    Args:
        metric: its name, or a dotted path into mappings and lists, such as `pose.rotation_residual.3`.
        figures: of the run, as its record describes them; they precede what names say.

    Example:
        >>> quantity("test_corner_error", {"corner_error": RecordedFigure("corner_error", "px")}).unit
        'px'
    """
    first, *_ = metric.split(".")
    name = next((part for part in reversed(metric.split(".")) if not re.fullmatch(r"-?\d+", part)), metric)
    split = re.match(_SPLIT, name)
    if (split or first == "by_class") and (figure := (figures or {}).get(name[split.end() if split else 0 :])):
        return _of_figure(figure)
    return next((found for pattern, found in _PATTERNS.items() if re.fullmatch(pattern, name)), Quantity())


def _of_figure(figure: RecordedFigure) -> Quantity:
    return Quantity(
        figure.unit,
        resolution=1e-4 if figure.unit in _OF_THETA else NOISE,
        better=1 if figure.higher_is_better else -1,
        # A share of 1 is printed as in the messages of a run.
        digits=2 if figure.unit else 4,
    )


def with_unit(metric: str, kind: Quantity | None = None) -> str:
    """The name with its unit, such as `test_error, %`.

    Args:
        metric: as `quantity` takes it.
        kind: of the number; by default what its name says.
    """
    unit = (kind or quantity(metric)).unit
    return f"{metric}, {unit}" if unit else metric
