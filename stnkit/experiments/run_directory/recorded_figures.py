"""The figures of a run's objective, as its record describes them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stnkit.errors import InputError

if TYPE_CHECKING:  # the command line reads records before it imports PyTorch
    from stnkit.objectives import Objective

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class RecordedFigure:
    """A figure of an objective.

    Args:
        name: without the split, such as "error".
        unit: empty for none.
        higher_is_better: True if a higher figure is a better one.
    """

    name: str
    unit: str = ""
    higher_is_better: bool = False

    @property
    def words(self) -> str:
        """The name as words."""
        return self.name.replace("_", " ")

    def text(self, value: float) -> str:
        """A value with its unit; a share of 1 has four digits.

        Args:
            value: in the record.

        Example:
            >>> RecordedFigure("error", "%").text(1.234), RecordedFigure("iou").text(0.98765)
            ('1.23 %', '0.9877')
        """
        return f"{value:.2f} {self.unit}" if self.unit else f"{value:.4f}"


def described(objective: "Objective") -> dict[str, dict[str, Any]]:
    """The figures of an objective as a record describes them.

    Args:
        objective: of the run.
    """
    return {name: dataclasses.asdict(figure) for name, figure in objective.figures.items()}


# That of the runs of versions without objectives.
ERROR = RecordedFigure("error", "%")


def recorded_figures(record: Mapping[str, Any]) -> dict[str, RecordedFigure]:
    """The figures of a run by their names, the primary one first.

    Args:
        record: the content of metrics.json; one of a version without objectives has the error.
    """
    figures = record.get("figures")
    if not isinstance(figures, Mapping) or not figures:
        return {ERROR.name: ERROR}
    return {
        name: RecordedFigure(name, str(figure.get("unit", "")), bool(figure.get("higher_is_better")))
        for name, figure in figures.items()
    }


def primary_figure(record: Mapping[str, Any]) -> RecordedFigure:
    """The figure by which a run is judged.

    Args:
        record: the content of metrics.json.
    """
    return next(iter(recorded_figures(record).values()))


def check_sweep_objective(key: str | None, names: list[str]) -> None:
    """Raise an InputError if a run has no such figure.

    Args:
        key: option `sweep_objective`.
        names: of the figures and losses of the objective.
    """
    known = list(dict.fromkeys(f"{split}_{name}" for split in SPLITS for name in names))
    if key is not None and key not in known:
        raise InputError(f"sweep_objective: expected one of {', '.join(known)}, got {key}")


def sweep_value(record: Mapping[str, Any], key: str | None) -> float:
    """The number of a completed run that a sweeper minimizes: of its test, or of the epoch whose weights it kept.

    A figure of which higher is better is negative.

    Args:
        record: the content of metrics.json.
        key: name of the figure with its split; None for the primary figure in validation.
    """
    figures = recorded_figures(record)
    key = key or f"validation_{primary_figure(record).name}"
    value = float({**record, **record["history"][record.get("best_epoch", -1)]}[key])
    figure = figures.get(key.partition("_")[2])
    return -value if figure is not None and figure.higher_is_better else value
