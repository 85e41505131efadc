"""What the transformer of a trained run does: test images and class means before and after, with the learned grid."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stnkit.experiments.data.loaders import as_float
from stnkit.experiments.grid_lines import lattice_lines
from stnkit.experiments.report.class_means import class_means
from stnkit.experiments.report.image_strip import Strip, make_strip
from stnkit.experiments.report.runs import Run, Status
from stnkit.experiments.report.table import Cell
from stnkit.experiments.trained_run import TrainedRun, load_run
from stnkit.transformer import SpatialTransformer

MAX_CLASSES = 20
SAMPLES = 2
# Enough for a mean that looks smooth, and seconds for each cell on a CPU.
MEAN_IMAGES = 2000
BATCH = 250
LATTICE_LINES, LATTICE_POINTS = 5, 13


@dataclass(frozen=True)
class Gallery:
    """The pictures of a cell.

    Args:
        note: which run they are of, or why there are none.
        classes: whose images stand below each other.
        samples: strips of test images, one image of each class.
        means: strips of class means.
    """

    note: str
    classes: tuple[int, ...] = ()
    samples: tuple[Strip, ...] = ()
    means: tuple[Strip, ...] = ()


class Shown(NamedTuple):
    """The first test images: distorted, labels, and as they were."""

    images: Tensor
    labels: Tensor
    originals: Tensor


class Galleries:
    """Draws cells, and distorts test images once for all runs with the same dataset and distortion.

    Args:
        dataset: options of the datasets that are others here than where the runs were trained.
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
            # A stranger's part may raise anything, and the page shows the other cells all the same.
            except Exception as error:
                reasons.append(f"no pictures of {run.path}: {' '.join(str(error).split()) or type(error).__name__}")
        more = f"; nor of {len(reasons) - 1} more" if len(reasons) > 1 else ""
        return Gallery(reasons[0] + more if reasons else "no run")

    def _draw(self, run: Run) -> Gallery:
        trained = load_run(run.path, dataset=self._dataset)
        note = f"{run.path}, seed {run.seed}" + (f", {run.status}" if run.status is not Status.completed else "")
        if len(trained.data.in_shape) != 3:
            return Gallery(f"{note}: its images have no two dimensions that could be drawn")
        shown = self._first_test_images(trained)
        classes = tuple(torch.unique(shown.labels).tolist()[:MAX_CLASSES])
        chosen = [_samples(shown.labels, classes, k) for k in range(SAMPLES)]
        with torch.no_grad():
            transformer = input_transformer(trained.network, shown.images[:1])
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
            # Copies, so that the rest can be forgotten.
            self._shown[key] = Shown(
                test.images[first].clone(), test.labels[first].clone(), as_float(test.originals[first])
            )
        return self._shown[key]


def input_transformer(network: nn.Module, image: Tensor) -> SpatialTransformer | None:
    """The first transformer of a network that sees the image itself, or None.

    Args:
        network: with transformers anywhere.
        image: a batch that it takes.
    """
    found: list[SpatialTransformer] = []

    def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, SpatialTransformer) and inputs[0].shape == image.shape and inputs[0].equal(image):
            found.append(module)

    hooks = [module.register_forward_pre_hook(look) for module in network.modules()]
    try:
        network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def _samples(labels: Tensor, classes: tuple[int, ...], k: int) -> Tensor:
    """Index of the k-th image of each class, or of its last where there are fewer."""
    places = [torch.nonzero(labels == label)[:, 0] for label in classes]
    return torch.stack([place[min(k, len(place) - 1)] for place in places])


def _before_and_after(transformer: SpatialTransformer | None, images: Tensor) -> list[Strip]:
    if transformer is None:
        return [make_strip("distorted", images)]
    theta = transformer.localize(images)
    lattices = lattice_lines(transformer.family, theta, LATTICE_LINES, LATTICE_POINTS)
    return [
        make_strip("distorted", images, lattices=lattices),
        make_strip("transformed", transformer.warp(images, theta)),
    ]


def _mean_strips(transformer: SpatialTransformer | None, shown: Shown, classes: tuple[int, ...]) -> tuple[Strip, ...]:
    n_classes = int(shown.labels.max()) + 1
    parts = {"undistorted": shown.originals, "distorted": shown.images}
    if transformer is not None:
        parts["transformed"] = torch.cat([transformer(batch) for batch in torch.split(shown.images, BATCH)])
    means = {
        name: class_means(images.float(), shown.labels, n_classes)[list(classes)] for name, images in parts.items()
    }
    # One scale for all: a mean that is blurred is also dim.
    white = max(float(mean.max()) for mean in means.values()) or 1.0
    return tuple(make_strip(name, mean, white) for name, mean in means.items())
