"""Results: the files and the row of one image."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import DataError
from stnkit.experiments.rectification.frame import Frame
from stnkit.experiments.rectification.maps import ImageMap
from stnkit.experiments.rectification.measures import pixel_matrices, shares
from stnkit.experiments.rectification.names import map_of, overlay_of
from stnkit.experiments.rectification.overlay import overlay
from stnkit.experiments.rectification.rectifier import Located, Rectifier, out_size
from stnkit.experiments.rectification.table import Row
from stnkit.experiments.rectification.warped_pixels import white
from stnkit.experiments.rectification.whole_files import whole_file
from stnkit.families.matrix_form import matrix_form


@dataclass(frozen=True)
class Options:
    """The options of the results.

    Args:
        size: of the output; None for that of each image.
        scale: of that size.
        maps: write the map of every pixel of a family without matrices.
        overlay: draw the grid on the image.
    """

    size: tuple[int, ...] | None = None
    scale: float | None = None
    maps: bool = False
    overlay: bool = False


@dataclass(frozen=True)
class Results:
    """The way from an image and its θ to files and rows.

    Args:
        rectifier: of the run.
        output: folder of the files.
        options: of them.
        taken: names that no result gets which becomes a PNG.
    """

    rectifier: Rectifier
    output: Path
    options: Options
    taken: Collection[str] = ()

    def of_image(
        self,
        name: str,
        planes: Shaped[Tensor, "K *size"],
        frame: Frame,
        located: Located,
        write: Callable[[Tensor, str], str],
        *,
        alpha: bool = False,
        ink: bool = False,
        index: int | None = None,
    ) -> list[Row]:
        """Warp an image by each of the transformers, write the results, and describe them.

        Args:
            name: of the input.
            planes: of the image.
            frame: of the view in it.
            located: its θ.
            write: takes the warped planes and the name of a result, and returns the name of the file.
            alpha: True if the last plane is alpha.
            ink: True if the planes are the inverted cyan, magenta, yellow and black of a print.
            index: of the image in an array.

        Raises:
            InputError: when the size does not fit the image.
            DataError: when θ is not finite, as of a network that has diverged: the result would be empty.
            OSError: when a file cannot be written.
        """
        if not bool(located.theta.isfinite().all()):
            raise DataError("expected a finite θ from the network, got NaN or infinity")
        rows, several = [], len(self.rectifier.transformers) > 1
        for number in range(len(self.rectifier.transformers)):
            own = numbered(name, number) if several else name
            through = self.rectifier.image_map(located, frame, number)
            size = out_size(frame, self.options.size, self.options.scale)
            warped = self.rectifier.warp(planes, through, size, number, alpha=alpha)
            described = self._described(through, frame, size, located, number)
            colors = planes[:-1] if alpha else planes
            self._write_beside(own if index is None else numbered(own, index), colors, through, frame, size, ink=ink)
            written = write(warped, own)
            rows.append(Row(name, written, index=index, transformer=number if several else None, **described))
        return rows

    def _described(
        self, through: ImageMap, frame: Frame, size: tuple[int, ...], located: Located, number: int
    ) -> dict[str, Any]:
        outside, folded = shares(through, size)
        label, names = located.prediction, self.rectifier.class_names
        matrices = pixel_matrices(through, frame.size, size)
        return {
            "in_size": list(frame.size),
            "out_size": list(size),
            "prediction": label if label is None or names is None else names[label],
            "score": located.score,
            "outside": outside,
            "folds": folded,
            "theta": located.theta[number].tolist(),
            **{convention: None if matrix is None else matrix.tolist() for convention, matrix in matrices.items()},
        }

    def _write_beside(
        self, name: str, colors: Tensor, through: ImageMap, frame: Frame, size: tuple[int, ...], *, ink: bool
    ) -> None:
        """Write the map and the overlay of an image."""
        if self.options.maps and matrix_form(*through) is None:
            pixels = coordinates.to_pixels(through.family.grid(through.theta, size), frame.size)
            with whole_file(self.output / map_of(name)) as part, part.open("wb") as file:
                np.save(file, pixels[0].float().numpy())
        if self.options.overlay and through.family.ndim == 2:
            with whole_file(self.output / overlay_of(name)) as part:
                overlay(colors, through, largest=white(colors.dtype), ink=ink).save(part, format="PNG")


def numbered(name: str, number: int) -> str:
    """A name with a number before its ending: a/b.png with 1 is a/b.1.png.

    Args:
        name: of a file.
        number: at least 0.
    """
    path = Path(name)
    return path.with_name(f"{path.stem}.{number}{path.suffix}").as_posix()
