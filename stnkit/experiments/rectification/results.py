"""Results: the files and the row of one image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import DataError
from stnkit.experiments.rectification.frame import Frame
from stnkit.experiments.rectification.maps import ImageMap
from stnkit.experiments.rectification.measures import pixel_matrices, shares
from stnkit.experiments.rectification.names import map_of, names_of_results, numbered, overlay_of
from stnkit.experiments.rectification.overlay import overlay
from stnkit.experiments.rectification.rectifier import Located, Rectifier, out_size
from stnkit.experiments.rectification.table import Row
from stnkit.experiments.rectification.warped_pixels import white
from stnkit.families.matrix_form import matrix_form
from stnkit.files.atomic import all_or_none, whole_file


@dataclass(frozen=True)
class Options:
    """The options of the results.

    Args:
        size: of the output; None for that of each image.
        scale: of that size.
        maps: write the map of every pixel of a family without matrices.
        overlay: draw the grid on the image, which has two dimensions.
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
        taken: names of files ↦ their inputs, as `taken_names` gives them.
    """

    rectifier: Rectifier
    output: Path
    options: Options
    taken: Mapping[str, str] = field(default_factory=dict)

    @torch.no_grad()  # a family may have weights of its own
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
        """Warp an image by each of the transformers, write the results, and describe them: all of them or none.

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
        rows, names = [], names_of_results(name, len(self.rectifier.transformers))
        colors = planes[:-1] if alpha else planes
        with all_or_none(self.output) as made:
            for number, own in enumerate(names):
                through = self.rectifier.image_map(located, frame, number)
                size = out_size(frame, self.options.size, self.options.scale)
                warped = self.rectifier.warp(planes, through, size, number, alpha=alpha)
                described = self._described(through, frame, size, located, number)
                made.append(written := write(warped, own))
                beside = own if index is None else numbered(own, index)
                made.append(of_map := self._write_map(beside, through, frame, size))
                made.append(drawn := self._write_overlay(beside, colors, through, ink=ink))
                described |= {"transformer": number if len(names) > 1 else None, "map": of_map, "overlay": drawn}
                rows.append(Row(name, written, index=index, **described))
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

    def _write_map(self, name: str, through: ImageMap, frame: Frame, size: tuple[int, ...]) -> str:
        """The name of the map, written; empty where there is none."""
        if not self.options.maps or matrix_form(*through) is not None:
            return ""
        pixels = coordinates.to_pixels(through.family.grid(through.theta, size), frame.size)
        with whole_file(self.output / map_of(name)) as part, part.open("wb") as file:
            np.save(file, pixels[0].float().numpy())
        return map_of(name)

    def _write_overlay(self, name: str, colors: Tensor, through: ImageMap, *, ink: bool) -> str:
        """The name of the overlay, written; empty where there is none."""
        if not self.options.overlay:
            return ""
        with whole_file(self.output / overlay_of(name)) as part:
            overlay(colors, through, largest=white(colors.dtype), ink=ink).save(part, format="PNG")
        return overlay_of(name)
