"""Rotation residual, rectified variance and time of trained runs, beside registration to running means.

    pip install pystackreg==0.2.8 scikit-image==0.26.0
    PYTHONPATH=benchmarks python -m alignment.compare RUN …

The runs are of `objective=alignment transform=rotation distortion=rotation`. Registration is told the group of every
image, of the test too; a run is not.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

import stnkit
from alignment.peers import Register, by_correlation, by_stackreg, rotated, template_of
from stnkit.experiments import TrainedRun
from stnkit.experiments.data.rows import as_float
from stnkit.experiments.data.seeds import generator
from stnkit.experiments.pose.rectified import DRAWS, IMAGES
from stnkit.experiments.pose.residuals import mean_angles, root_mean_square, wrapped

Angles = Callable[[torch.Tensor, torch.Tensor], np.ndarray]
PEERS: dict[str, Register] = {
    "scikit-image, phase correlation": by_correlation("phase"),
    "scikit-image, cross-correlation": by_correlation(None),
    "pystackreg, 1 start": by_stackreg(1),
    "pystackreg, 8 starts": by_stackreg(8),
}


def row(name: str, run: TrainedRun, angles: Angles, n: int) -> str:
    """The line of a table: figures on n test images, and milliseconds for an image.

    Args:
        name: in the line.
        run: whose test images are measured.
        angles: (images, labels) ↦ radians by which sampling points turn clockwise.
        n: number of images.
    """
    test, distortion = run.data.fixed("test"), run.data.distortion
    images, labels, theta, *_ = test.rows(slice(n))
    start = time.perf_counter()
    found = angles(images, labels)
    per_image = 1e3 * (time.perf_counter() - start) / n
    # θ of the distortion is an affine one, row by row.
    turned = torch.rad2deg(torch.atan2(theta[:, 3], theta[:, 0]) + torch.from_numpy(found))
    classes = run.data.dataset.n_classes
    deviations = wrapped(turned - mean_angles(turned, labels, classes)[labels])
    residual, by_class = root_mean_square(deviations, labels, classes)

    # As stnkit.experiments.pose.rectified, for outputs of any origin.
    chosen = torch.linspace(0, len(test.originals) - 1, min(IMAGES, len(test.originals))).round().long()
    originals, outputs = as_float(test.originals[chosen]), []
    for draw in range(DRAWS):
        drawn = distortion.sample(len(originals), generator("rectified", draw))
        distorted = distortion.apply(originals, drawn, generator("rectified", draw, "apply"))
        turns = angles(distorted, test.labels[chosen])
        outputs.append([rotated(image[0].numpy(), turn) for image, turn in zip(distorted, turns, strict=True)])
    shown = np.asarray(outputs)
    rectified = shown.var(axis=0).mean() / shown.var(axis=(0, 1)).mean()
    each = " ".join(f"{value:.0f}" for value in by_class)
    return f"| {name} | {residual:.1f}° | {rectified:.2f} | {per_image:.2f} ms | {each} |"


def registered(run: TrainedRun, register: Register, n: int, by_label: bool) -> Angles:
    """The angles to the running means of the first n training images, under the distortion of the run.

    Args:
        run: whose images and distortion are taken.
        register: finds the angle of one image.
        n: number of images.
        by_label: a template for each class, or one for all.
    """
    images, labels = run.data.split("train")
    draws, distortion = torch.Generator().manual_seed(0), run.data.distortion
    images, labels = as_float(images[:n]), labels[:n] if by_label else torch.zeros(n, dtype=torch.int64)
    distorted = distortion.apply(images, distortion.sample(n, draws), draws)[:, 0].numpy()
    templates = [template_of(distorted[(labels == k).numpy()], register) for k in labels.unique()]

    def angles(images: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
        groups = labels.tolist() if by_label else [0] * len(images)
        return np.array([register(i[0].numpy(), templates[k]) for i, k in zip(images, groups, strict=True)])

    return angles


def of_run(run: TrainedRun) -> Angles:
    """The angles of a run's transformer."""
    transformer = run.network.transformer

    @torch.no_grad()
    def angles(images: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
        return transformer.localize(images)[:, 0].numpy()

    return angles


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="run directories; the first one gives images and distortion")
    parser.add_argument("--images", type=int, default=1000, help="number of images of each split")
    given = parser.parse_args()
    torch.set_num_threads(1)
    runs = {folder: stnkit.load_run(folder) for folder in given.runs}
    first, n = next(iter(runs.values())), given.images
    print(
        "| | rotation residual | rectified variance | time an image | residual of each class |\n|---|---|---|---|---|"
    )
    print(row("the images themselves", first, lambda images, labels: np.zeros(len(images), np.float32), n), flush=True)
    for folder, run in runs.items():
        print(row(folder, run, of_run(run), n), flush=True)
    for by_label in (True, False):
        for name, register in PEERS.items():
            start = time.perf_counter()
            angles = registered(first, register, n, by_label)
            seconds = time.perf_counter() - start
            groups = "templates by label" if by_label else "one template"
            print(row(f"{name}, {groups} ({seconds:.0f} s)", first, angles, n), flush=True)


if __name__ == "__main__":
    main()
