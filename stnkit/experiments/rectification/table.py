"""Table: theta.csv and theta.json, a row for each image with all that is known of it."""

import csv
import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stnkit.files.atomic import whole_file

TABLES = ("theta.csv", "theta.json")
Matrix = list[list[float]]


@dataclass(frozen=True)
class Row:
    """An image and its results.

    Args:
        file: name of the input.
        output: name of the result, below the output folder; empty where there is none.
        error: the reason for that; empty where there is a result.
        map: name of the array of pixels that the result is read from; empty where none is written.
        overlay: name of the picture with the grid; empty where none is written.
        index: of the image in an array.
        transformer: number of the transformer, where several stand in parallel.
        in_size: of the image, [H, W] or [D, H, W].
        out_size: of the result.
        prediction: name of the likeliest class, or its label where classes have no names.
        score: probability of that class.
        outside: share of the result that is read from outside of the image.
        folds: share of the result at which the map folds.
        theta: of the map.
        matrix_opencv_inverse: of the map in pixels, as `pixel_matrices` gives it.
        matrix_opencv: of the inverse map.
        matrix_pillow: as the first, between edges.
    """

    file: str
    output: str = ""
    error: str = ""
    map: str = ""
    overlay: str = ""
    index: int | None = None
    transformer: int | None = None
    in_size: list[int] = field(default_factory=list)
    out_size: list[int] = field(default_factory=list)
    prediction: str | int | None = None
    score: float | None = None
    outside: float | None = None
    folds: float | None = None
    theta: list[float] | None = None
    matrix_opencv_inverse: Matrix | None = None
    matrix_opencv: Matrix | None = None
    matrix_pillow: Matrix | None = None

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> "Row":
        """The row that `as_json` has written.

        Args:
            values: plain ones.
        """
        return cls(**values)

    @property
    def written(self) -> list[str]:
        """The names of its files: the result, and what is beside it."""
        return [name for name in (self.output, self.map, self.overlay) if name]

    def as_json(self) -> dict[str, Any]:
        """Plain values, without those that do not exist; numbers that are not finite are null."""
        return {name: _finite(value) for name, value in dataclasses.asdict(self).items() if value not in (None, "", [])}


COLUMNS = tuple(each.name for each in dataclasses.fields(Row))


def write_tables(folder: Path, command: Mapping[str, Any], rows: Iterable[Row]) -> None:
    """Write theta.csv and theta.json. An error in one of them does not keep the other from being written.

    Args:
        folder: of both.
        command: the run and the options.
        rows: in their order.

    Raises:
        OSError: when one of them cannot be written.
    """
    plain = [row.as_json() for row in rows]
    try:
        _write_csv(folder / TABLES[0], plain)
    finally:
        with whole_file(folder / TABLES[1]) as part:
            part.write_text(json.dumps({**command, "rows": plain}, indent=1), encoding="utf-8")


def _write_csv(path: Path, plain: Sequence[Mapping[str, Any]]) -> None:
    # The name of a file may hold any bytes, and one of them would keep a reader from all of the table: those that are
    # no text are escaped as they are in theta.json.
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        # Every column in every table: whoever reads it need not ask for the family.
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in plain:
            writer.writerow({name: json.dumps(v) if isinstance(v, list) else v for name, v in row.items()})


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
