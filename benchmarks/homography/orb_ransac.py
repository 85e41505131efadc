"""ORB and RANSAC of OpenCV on the test pairs of a run of `experiment=homography`, beside its network.

    pip install opencv-python-headless==5.0.0.93
    python benchmarks/homography/orb_ransac.py RUN_DIRECTORY

Both find the map from points of the fixed image to those of the moving one, on one thread, pair by pair. A figure is
the mean distance of the four corners from their true positions in pixels, with corners farther than 10 half images from
the center moved there, as `objective=pose` measures it. A pair for which OpenCV finds no map counts with the identity.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

import stnkit

FEATURES = 1000
# Pixels within which a match agrees with a map.
AGREEMENT = 3.0
FARTHEST = 10.0
CORNERS = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])


def orb_ransac(moving: np.ndarray, fixed: np.ndarray, features: int = FEATURES) -> np.ndarray | None:
    """The matrix that takes pixels of the fixed image to those of the moving one; None where there is none."""
    # The threshold for corners and the border are smaller than the defaults, which find few in 128×128 pixels.
    orb = cv2.ORB_create(nfeatures=features, edgeThreshold=8, patchSize=16, fastThreshold=5)
    (points_m, words_m), (points_f, words_f) = (orb.detectAndCompute(image, None) for image in (moving, fixed))
    if words_m is None or words_f is None:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(words_f, words_m)
    if len(matches) < 4:
        return None
    source = np.float32([points_f[match.queryIdx].pt for match in matches])
    target = np.float32([points_m[match.trainIdx].pt for match in matches])
    matrix, _ = cv2.findHomography(source, target, cv2.RANSAC, AGREEMENT, maxIters=5000)
    return matrix


def corners_of(matrix: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
    """The corners of the fixed image in the moving one, (4, 2)."""
    corners = stnkit.coordinates.to_pixels(CORNERS.double(), size).numpy()
    if matrix is None:
        return corners
    moved = np.concatenate([corners, np.ones((4, 1))], axis=1) @ matrix.T
    points = torch.from_numpy(moved[:, :2] / moved[:, 2:])
    normalized = stnkit.coordinates.finite(stnkit.coordinates.from_pixels(points, size), FARTHEST)
    return stnkit.coordinates.to_pixels(normalized, size).numpy()


def timed(find: Callable[..., object], *arguments: object) -> tuple[object, float]:
    start = time.perf_counter()
    found = find(*arguments)
    return found, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", help="directory of a completed run")
    parser.add_argument("--features", type=int, default=FEATURES, help="largest number of features of an image")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    cv2.setRNGSeed(0)
    run = stnkit.load_run(arguments.run)
    test, transformer, family = run.data.fixed("test"), run.network.transformer, run.data.distortion.family
    size = tuple(run.data.distortion.out_size)
    corners = CORNERS[None]
    true = stnkit.coordinates.to_pixels(family(test.theta, corners), size).numpy()
    rows: dict[str, list[tuple[float, float]]] = {"identity": [], "ORB + RANSAC": [], "stnkit": []}
    failed = 0
    with torch.inference_mode():
        transformer(test.images[:1])  # the first call prepares kernels
        for pair, expected in zip(test.images, true, strict=True):
            moving, fixed = (pair * 255).round().byte().numpy()
            matrix, seconds = timed(orb_ransac, moving, fixed, arguments.features)
            failed += matrix is None
            theta, own_seconds = timed(transformer.localize, pair[None])
            own = stnkit.coordinates.to_pixels(transformer.family(theta, corners), size)[0].numpy()
            for name, found, spent in (
                ("identity", corners_of(None, size), 0.0),
                ("ORB + RANSAC", corners_of(matrix, size), seconds),
                ("stnkit", own, own_seconds),
            ):
                rows[name].append((float(np.linalg.norm(found - expected, axis=1).mean()), spent))
    print(f"| {len(true)} test pairs | mean corner error | median | below 8 px | ms a pair |\n|---|---|---|---|---|")
    for name, row in rows.items():
        errors, spent = zip(*row, strict=True)
        below = 100 * sum(error < 8 for error in errors) / len(errors)
        mean, median = statistics.fmean(errors), statistics.median(errors)
        print(f"| {name} | {mean:.1f} px | {median:.1f} px | {below:.0f} % | {1e3 * statistics.median(spent):.1f} |")
    print(f"\nORB found no map for {failed} pairs. OpenCV {cv2.__version__}, torch {torch.__version__}, one thread.")


if __name__ == "__main__":
    main()
