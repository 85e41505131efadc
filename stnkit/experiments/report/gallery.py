"""Test images and class means of a trained run before and after its transformer, with the learned grid."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stnkit.experiments.class_means import class_means
from stnkit.experiments.data.loaders import as_float
from stnkit.experiments.grid_lines import grid_lines
from stnkit.experiments.report.image_strip import Strip, make_strip
from stnkit.experiments.report.runs import Run, Status
from stnkit.experiments.report.table import Cell
from stnkit.experiments.trained_run import TrainedRun, load_run
from stnkit.insertion import find_transformers
from stnkit.transformer import SpatialTransformer

MAX_CLASSES = 20
SAMPLES = 2
# Images for the means: they look smooth, and a cell takes seconds on a CPU.
MEAN_IMAGES = 2000
BATCH = 250
LATTICE_LINES, LATTICE_POINTS = 5, 13


@dataclass(frozen=True)
class Gallery:
    """The pictures of a cell.

    Args:
        note: the run that is shown, or the reason why there are no pictures.
        classes: one column of images for each.
        samples: strips of test images, one image of each class.
        means: strips of class means.
    """

    note: str
    classes: tuple[int, ...] = ()
    samples: tuple[Strip, ...] = ()
    means: tuple[Strip, ...] = ()


class Shown(NamedTuple):
    """The first test images: distorted, their labels, and undistorted."""

    images: Tensor
    labels: Tensor
    originals: Tensor


class Galleries:
    """Draws cells; test images are distorted once for all runs with the same dataset and distortion.

    Args:
        dataset: options of the datasets that replace those of the runs.
    """

    def __init__(self, dataset: Mapping[str, Any] | None = None) -> None:
        self._dataset = dict(dataset or {})
        self._shown: dict[str, Shown] = {}

    def draw(self, cell: Cell) -> Gallery:
        """The pictures of the first run of a cell that can be drawn, completed ones first.

        Args:
            cell: of the table.
        """
        reasons = []
        for run in sorted(cell.runs, key=lambda run: run.status is not Status.completed):
            try:
                return self._draw(run)
            # A plugin's component may raise anything; the page still shows the other cells.
            except Exception as error:
                reasons.append(f"no pictures of {run.path}: {' '.join(str(error).split()) or type(error).__name__}")
        others = len(reasons) - 1
        more = f"; likewise for {others} more run{'s' * (others != 1)}" if others > 0 else ""
        return Gallery(reasons[0] + more if reasons else "no run")

    def _draw(self, run: Run) -> Gallery:
        trained = load_run(run.path, dataset=self._dataset)
        note = f"{run.path}, seed {run.seed}" + (f", {run.status}" if run.status is not Status.completed else "")
        if len(trained.data.in_shape) != 3:
            return Gallery(f"{note}: no pictures, because its images are not two-dimensional")
        shown = self._first_test_images(trained)
        classes = tuple(torch.unique(shown.labels).tolist()[:MAX_CLASSES])
        chosen = [_samples(shown.labels, classes, k) for k in range(SAMPLES)]
        with torch.no_grad():
            transformer = transformer_seeing(trained.network, shown.images[:1])
            if transformer is None:
                note += ": no transformer at the input, so the network sees the distorted images"
            samples = tuple(strip for index in chosen for strip in _before_and_after(transformer, shown.images[index]))
            means = _mean_strips(transformer, shown, classes)
        return Gallery(note, classes, samples, means)

    def _first_test_images(self, trained: TrainedRun) -> Shown:
        key = json.dumps([trained.config["dataset"], trained.config["distortion"]], sort_keys=True)
        if key not in self._shown:
            test = trained.data.fixed("test")
            first = slice(MEAN_IMAGES)
            # Copies, so that the memory of the other images is released.
            self._shown[key] = Shown(
                test.images[first].clone(), test.labels[first].clone(), as_float(test.originals[first])
            )
        return self._shown[key]


def transformer_seeing(network: nn.Module, image: Tensor) -> SpatialTransformer | None:
    """The first transformer of a network that sees the image itself, or None.

    Args:
        network: with transformers anywhere.
        image: a batch that it takes.
    """
    found: list[SpatialTransformer] = []

    def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        assert isinstance(module, SpatialTransformer)
        if inputs[0].shape == image.shape and inputs[0].equal(image):
            found.append(module)

    hooks = [each.register_forward_pre_hook(look) for each in find_transformers(network).values()]
    try:
        network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def _samples(labels: Tensor, classes: tuple[int, ...], k: int) -> Tensor:
    """Index of the k-th image of each class, or of its last where there are fewer."""
    of_each = [torch.nonzero(labels == label)[:, 0] for label in classes]
    return torch.stack([indices[min(k, len(indices) - 1)] for indices in of_each])


def _before_and_after(transformer: SpatialTransformer | None, images: Tensor) -> list[Strip]:
    if transformer is None:
        return [make_strip("distorted", images)]
    theta = transformer.localize(images)
    lattices = grid_lines(transformer.family, theta, LATTICE_LINES, LATTICE_POINTS)
    return [
        make_strip("distorted", images, lattices=lattices),
        make_strip("transformed", transformer.warp(images, theta)),
    ]


def _mean_strips(transformer: SpatialTransformer | None, shown: Shown, classes: tuple[int, ...]) -> tuple[Strip, ...]:
    n_classes = int(shown.labels.max()) + 1
    stages = {"undistorted": shown.originals, "distorted": shown.images}
    if transformer is not None:
        stages["transformed"] = torch.cat([transformer(batch) for batch in torch.split(shown.images, BATCH)])
    means = {
        name: class_means(images.float(), shown.labels, n_classes)[list(classes)] for name, images in stages.items()
    }
    # One gray scale for all: a blurred mean is also dim.
    white = max(float(mean.max()) for mean in means.values()) or 1.0
    return tuple(make_strip(name, mean, white) for name, mean in means.items())
