"""The pairs of a registration run, by its network and by SimpleITK's B-spline registration: errors, folds and time.

python -m registration.compare RUN_DIR, in benchmarks/, with the SimpleITK of requirements.txt.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK
import torch
from torch import Tensor

import stnkit
from stnkit import coordinates

# Images in a batch, where batches are timed.
BATCH = 256
# Control points of SimpleITK's spline are those of 3 cells, as many as a cubic spline needs for 4×4 of a thin plate
# spline; two levels, since digits of a quarter of their size are blots.
CELLS, SHRINK, SIGMAS, ITERATIONS = 3, [2, 1], [1.0, 0.0], 200


def by_simpleitk(moving: Tensor, fixed: Tensor) -> tuple[SimpleITK.Transform, float]:
    """A map from points of the fixed image to those of the moving one, and the seconds that it took."""
    images = [SimpleITK.GetImageFromArray(image.numpy()) for image in (fixed, moving)]
    began = time.perf_counter()
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsLBFGSB(gradientConvergenceTolerance=1e-7, numberOfIterations=ITERATIONS)
    method.SetShrinkFactorsPerLevel(SHRINK)
    method.SetSmoothingSigmasPerLevel(SIGMAS)
    spline = SimpleITK.BSplineTransformInitializer(images[0], [CELLS] * moving.ndim)
    method.SetInitialTransform(spline, inPlace=True)
    found = method.Execute(*images)
    return found, time.perf_counter() - began


def displaced(transform: SimpleITK.Transform, size: tuple[int, ...]) -> np.ndarray:
    """The source point of each pixel, in pixels, x first."""
    points = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij")[::-1], axis=-1).reshape(-1, len(size))
    return np.array([transform.TransformPoint(point.astype(float).tolist()) for point in points])


def share_of_folds(source: np.ndarray, size: tuple[int, int]) -> float:
    """The share of pixels at which the determinant of central differences is not above 0."""
    x, y = source.T.reshape(2, *size)
    (xy, xx), (yy, yx) = np.gradient(x), np.gradient(y)
    return float((xx * yy - xy * yx <= 0).mean())


def seconds_of(function: Callable[[], object], turns: int = 20) -> float:
    """The median time of a call."""
    function()
    taken = []
    for _ in range(turns):
        began = time.perf_counter()
        function()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--root", help="the folder of the images, if it is another one now")
    parser.add_argument("--pairs", type=int, default=50, help="that SimpleITK registers")
    arguments = parser.parse_args()
    source = json.loads((arguments.run_dir / "metrics.json").read_text())["config"]["dataset"]["source"]
    moved = {} if arguments.root is None else {"dataset": {"source": {**source, "root": arguments.root}}}
    run = stnkit.load_run(arguments.run_dir, **moved)
    test, transformer = run.data.fixed("test"), run.network.transformer
    size = tuple(run.data.in_shape[1:])
    ours = [
        found(test, run.data.distortion.family, transformer, slice(i, i + BATCH), size)
        for i in range(0, len(test.images), BATCH)
    ]
    whole = {name: torch.cat([each[name] for each in ours]) for name in ours[0]}
    print(f"{len(whole['folds'])} test pairs")
    report("identity", whole["before"], whole["shown"], whole["folds"] * 0)
    report("stnkit", whole["after"], whole["shown"], whole["folds"])
    with torch.inference_mode():
        one, many = test.images[:1], test.images[:BATCH]
        alone = seconds_of(lambda: transformer(one))
        together = seconds_of(lambda: transformer(many)) / len(many)
    n, taken, distances, folds = arguments.pairs, [], [], []
    for i, image in enumerate(test.images[:n]):
        transform, seconds = by_simpleitk(*image)
        points = displaced(transform, size)
        true = coordinates.to_pixels(whole["true"][i], size).numpy()
        taken.append(seconds)
        distances.append(np.linalg.norm(points - true, axis=1))
        folds.append(share_of_folds(points, size))
    print(f"the first {n} of them")
    report("identity", whole["before"][:n], whole["shown"][:n], whole["folds"][:n] * 0)
    report("stnkit", whole["after"][:n], whole["shown"][:n], whole["folds"][:n])
    report("SimpleITK", torch.tensor(np.array(distances)), whole["shown"][:n], torch.tensor(folds))
    print(f"stnkit     {1e3 * alone:.2f} ms a pair alone, {1e3 * together:.3f} ms a pair in batches of {BATCH}")
    median = statistics.median(taken)
    print(f"SimpleITK  {1e3 * median:.0f} ms a pair, {median / alone:.0f} and {median / together:.0f} times as long")


def found(
    test: object,
    family: stnkit.TransformFamily,
    transformer: stnkit.SpatialTransformer,
    rows: slice,
    size: tuple[int, ...],
) -> dict[str, Tensor]:
    """Distances of source points from the true ones before and after, weights, folds and the true points."""
    batch = test.rows(rows)
    channels = batch.images.shape[1] // 2
    with torch.inference_mode():
        theta = transformer.localize(batch.images)
        true = family.grid(batch.theta, size).flatten(1, -2)
        source = transformer.family.grid(theta, size).flatten(1, -2)
        identity = coordinates.lattice(size).view(1, -1, len(size))
        pixels = [coordinates.to_pixels(points, size) for points in (true, source, identity)]
        fixed = batch.images[:, channels:].flatten(2).sum(dim=1)
        return {
            "before": (pixels[2] - pixels[0]).norm(dim=-1),
            "after": (pixels[1] - pixels[0]).norm(dim=-1),
            "shown": fixed / fixed.sum(dim=1, keepdim=True),
            "folds": stnkit.folds(transformer.family, theta, size),
            "true": true,
        }


def report(name: str, distances: Tensor, shown: Tensor, folds: Tensor) -> None:
    weighted = (distances * shown).sum(dim=1).mean()
    print(
        f"{name:10} error {weighted:.3f} px where the image shows something, {distances.mean():.3f} px everywhere; "
        f"{100 * (folds == 0).double().mean():.1f} % of pairs without folds"
    )


if __name__ == "__main__":
    main()
