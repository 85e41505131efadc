"""The share of test images whose digit the canvas cuts, and the error on the others.

    cd benchmarks; PYTHONPATH=. python -m table1.cut RUN... [--root FOLDER]

A distortion moves parts of a digit out of the image, and no classifier can read what is not there. A digit counts as
cut when more than 1 % of its ink, the sum of the original's gray values, lies outside of the distorted image; it is
badly cut above 10 %. For the distortions whose map is a matrix: rotation, rts, projective.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

import stnkit
from stnkit.experiments.data.rows import as_float

CUT, BADLY = 0.01, 0.10
BATCH = 500


def ink_outside(originals: Tensor, family: stnkit.families.MatrixFamily, theta: Tensor) -> Tensor:
    """The share of each original's ink that its map leaves outside of the distorted image.

    Args:
        originals: (N, 1, H, W), with values in [0, 1].
        family: of the distortion; T_θ takes a point of the distorted image to one of the original.
        theta: (N, P).
    """
    points = stnkit.coordinates.lattice(tuple(originals.shape[2:])).view(-1, 2).double()
    homogeneous = torch.cat([points, torch.ones(len(points), 1)], dim=1)
    matrices = torch.linalg.inv(family.matrix(theta.double()))
    x, y, w = (homogeneous @ matrices.mT).unbind(dim=2)
    inside = (w > 0) & (x.abs() <= w) & (y.abs() <= w)
    ink = originals.flatten(start_dim=1).double()
    return 1 - (ink * inside).sum(dim=1) / ink.sum(dim=1)


def errors_and_cuts(run_dir: Path, root: str | None) -> tuple[Tensor, Tensor]:
    """For each test image of a run, true where it is classified wrongly, and the share of its ink that is cut off."""
    run = stnkit.load_run(run_dir, dataset={"root": root} if root else None)
    family = run.data.distortion.family
    if not isinstance(family, stnkit.families.MatrixFamily):
        name = run.config["distortion"]["name"]
        raise stnkit.errors.InputError(f"{run_dir}: expected a distortion whose map is a matrix, got {name}")
    test = run.data.fixed("test")
    wrong, cut = [], []
    with torch.no_grad():
        for start in range(0, len(test.images), BATCH):
            drawn = test.rows(slice(start, start + BATCH))
            wrong.append(run.network(drawn.images).argmax(dim=1) != drawn.labels)
            originals = as_float(run.data.split("test")[0][start : start + BATCH])
            cut.append(ink_outside(originals, family, drawn.theta))
    return torch.cat(wrong), torch.cat(cut)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="directories of runs")
    parser.add_argument("--root", help="folder of the dataset, where it differs from the runs'")
    options = parser.parse_args()
    print("| run | cut | badly cut | error | error, not cut | error, cut | error, badly cut |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for run_dir in options.runs:
        try:
            wrong, cut = errors_and_cuts(run_dir, options.root)
        except stnkit.errors.StnkitError as error:
            parser.error(str(error))
        groups = [cut >= 0, cut <= CUT, cut > CUT, cut > BADLY]
        shares = [f"{100 * float(group.double().mean()):.1f} %" for group in groups[2:]]
        errors = [f"{100 * float(wrong[group].double().mean()):.2f} %" if group.any() else "—" for group in groups]
        print("|", " | ".join([run_dir.name, *shares, *errors]), "|")


if __name__ == "__main__":
    main()
