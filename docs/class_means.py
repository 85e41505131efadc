"""Draw the class means of a run's test images: as they are, and behind the transformer of each run.

python docs/class_means.py RUN [RUN …] --out docs/images/alignment.png
"""

import argparse
import os
from pathlib import Path

import torch
from gallery import save
from matplotlib.figure import Figure
from torch import Tensor

import stnkit

IMAGES = 2000


def class_means(images: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """The mean image of each class, (K, H, W): of the mean of its channels."""
    gray = images.mean(dim=1)
    return torch.stack([gray[labels == k].mean(dim=0) for k in range(n_classes)])


def draw(runs: list[Path], out: Path) -> Path:
    """One row of class means for the images themselves, and one for each run.

    Args:
        runs: run directories of one dataset and distortion, with a transformer at the input.
        out: of the picture.
    """
    loaded = [stnkit.load_run(run) for run in runs]
    data = loaded[0].data
    images, labels, *_ = data.fixed("test").rows(slice(IMAGES))
    rows = [("images", images)]
    for run in loaded:
        objective = run.config["objective"]
        rows.append((objective.get("groups", objective["name"]), run.network.transformer(images)))
    n_classes = data.dataset.n_classes
    figure = Figure(figsize=(0.7 * n_classes + 0.9, 0.75 * len(rows)), layout="constrained")
    for axes, (name, shown) in zip(figure.subplots(len(rows), n_classes, squeeze=False), rows, strict=True):
        axes[0].set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
        for axis, mean in zip(axes, class_means(shown, labels, n_classes), strict=True):
            axis.set(xticks=[], yticks=[])
            axis.imshow(mean.numpy(), cmap="gray", vmin=0)
    return save(figure, out)


def main(arguments: list[str] | None = None) -> None:
    """Draw the picture that the command line names."""
    parser = argparse.ArgumentParser(description="Draw class means before and behind the transformers of runs.")
    parser.add_argument("runs", nargs="+", type=Path, help="run directories")
    parser.add_argument("--out", type=Path, required=True, help="the picture, a PNG file")
    given = parser.parse_args(arguments)
    with torch.no_grad():
        print(os.fspath(draw(given.runs, given.out)))


if __name__ == "__main__":
    main()
