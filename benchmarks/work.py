"""A piece of work that several contenders do on the same inputs, and what is wanted of it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor


class UnavailableError(Exception):
    """A contender cannot do this work here; the message says why."""


@dataclasses.dataclass
class Call:
    """One contender, ready to work.

    Args:
        run: what is timed.
        outputs: what of a call's result must equal the base's, if anything.
        images: how many images one call makes, where that is not the whole batch.
        close: gives back what the contender holds.
    """

    run: Callable[[], object]
    outputs: Callable[[Any], Tensor] | None = None
    images: int | None = None
    close: Callable[[], None] = lambda: None


@dataclasses.dataclass(frozen=True)
class Work:
    """A table of the results: a row for each case, a column for each contender.

    Args:
        name: heads the table; `FILTER` looks at it.
        cases: what the work is done on: a name, and what `inputs` makes of it.
        inputs: makes the inputs of a case on a device.
        contenders: what each makes of the inputs. The first is the base, which ratios refer to: time / its time.
        images: how many images a case has, for images per second and for contenders that make fewer.
        bytes_moved: what has to be read and written at the least, for the share of a GPU's bandwidth.
        least: what the ratio of a contender must reach, for all cases or by case.
        most: what it may reach.
        slack_ms: with `most`, so many milliseconds more than the base are allowed as well.
        microseconds: what a call of a contender, the base itself too, may take.
        tolerance: relative norm of the difference to the base's outputs up to which they are equal.
        differs: contenders that compute something else, and what; it is held that they do.
        devices: where it is measured.
        threads: of torch and of the contenders; by default as many as torch takes.
        turns: the most that each contender has, for works of many cases.
        calls: one after the other between two looks at the clock, where a call takes microseconds.
        axis: what grows along the cases, if the growth is the question; `cases` then holds numbers.
        note: stands below the table's head.
        group: the head of a table that several works share, each with a base of its own that is not shown.
    """

    name: str
    cases: Mapping[str, Any]
    inputs: Callable[[Any, str], Any]
    contenders: Mapping[str, Callable[[Any], Call]]
    images: Callable[[Any], int] = lambda case: case[0]
    bytes_moved: Callable[[Any], int] | None = None
    least: Mapping[str, float | Mapping[str, float]] = dataclasses.field(default_factory=dict)
    most: Mapping[str, float | Mapping[str, float]] = dataclasses.field(default_factory=dict)
    slack_ms: float = 0.0
    microseconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    tolerance: float = 1e-3
    differs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    devices: tuple[str, ...] = ("cpu", "cuda")
    threads: int | None = None
    turns: int | None = None
    calls: int = 1
    axis: str | None = None
    note: str = ""
    group: str = ""

    @property
    def base(self) -> str:
        """The contender that ratios refer to."""
        return next(iter(self.contenders))

    def bound(self, bounds: Mapping[str, float | Mapping[str, float]], contender: str, case: str) -> float | None:
        """What `least` or `most` says of a contender in a case."""
        value = bounds.get(contender)
        return value.get(case) if isinstance(value, Mapping) else value
