"""Other warps beside those before the native one: lattices are faster, and nothing is slower."""

from collections.abc import Sequence
from typing import Any

import torch

from peers.before import COMMIT
from peers.before import stnkit_warp as warp_before
from warp import Inputs, inputs, stnkit_warp
from work import Work
from works.native import BEFORE, BOTH, NAMES, PASSES, SHAPES, TURNS, on

LATTICE = 1.7  # families of 4×4 points
NOT_SLOWER = 0.97

# Everything is outside where it is moved by more than the image.
SPOTS = {
    "exact identity": [1.0, 0, 0, 0, 1, 0],
    "everything outside": [1.0, 0, 5.0, 0, 1, 5.0],
    "zoom out": [4.0, 0, 0, 0, 4, 0],
}
LATTICES = dict.fromkeys(("tps", "piecewise_affine", "bspline"), "control_points") | {"displacement": "resolution"}
# Transform, its options, sampler, its options.
OTHERS: list[tuple[str, dict[str, list[int]], str, dict[str, Any]]] = [
    *((name, {points: [n, n]}, "bilinear", {}) for name, points in LATTICES.items() for n in (4, 8)),
    ("homography4", {}, "bilinear", {}),
    ("similarity", {}, "bilinear", {}),
    *(("affine", {}, "bilinear", {"padding": padding}) for padding in ("border", "reflection", "circular")),
    ("affine", {}, "bilinear", {"padding": "fill", "fill_value": 0.5}),
    ("affine", {}, "bicubic", {}),
    ("affine", {}, "bicubic", {"a": -0.5}),
]


def spot(case: tuple[str, Sequence[int]], device: str) -> Inputs:
    """One θ for all images."""
    name, shape = case
    made = inputs("affine")(shape, device)
    made.theta = torch.tensor(SPOTS[name], device=device).expand(len(made.theta), -1).contiguous()
    return made


def title(transform: str, options: dict[str, list[int]], sampler: str, sampler_options: dict[str, Any]) -> str:
    """The family with its points, and the sampler where it is not the default."""
    points = ["×".join(map(str, counts)) for counts in options.values()]
    read = [] if sampler == "bilinear" and not sampler_options else [sampler, *map(str, sampler_options.values())]
    return ", ".join(filter(None, [" ".join([transform, *points]), " ".join(read)]))


def least(options: dict[str, list[int]]) -> dict[str, float]:
    """The least time before over today's: more for a lattice of 4×4 points, but at the largest size."""
    is_lattice = [4, 4] in options.values()
    return {case: LATTICE if is_lattice and case != NAMES[-1] else NOT_SLOWER for case in NAMES}


WORKS = [
    Work(
        f"{title(*chosen)}, native and before, {passed}",
        SHAPES,
        inputs(chosen[0], **chosen[1]),
        {
            "stnkit": PASSES[passed](stnkit_warp(chosen[2], **chosen[3])),
            title(*chosen): PASSES[passed](warp_before(*chosen)),
        },
        least={title(*chosen): least(chosen[1])},
        devices=("cpu",),
        turns=TURNS,
        group=f"warps of {BEFORE} beside today's, {passed}",
        note=f"Times and memory are those of {COMMIT}, ratios are to today's time: 1 is no change, larger is better.",
    )
    for passed in ("forward", BOTH)
    for chosen in OTHERS
    if passed == "forward" or [4, 4] in chosen[1].values() or "padding" in chosen[3]
] + [
    Work(
        f"weak spots of the native warp, {passed}, {on(threads)}",
        {f"{name}, {shape}": (name, SHAPES[shape]) for name in SPOTS for shape in NAMES[1:3]},
        spot,
        {"stnkit": PASSES[passed](stnkit_warp()), BEFORE: PASSES[passed](warp_before("affine"))},
        images=lambda case: case[1][0],
        least={BEFORE: NOT_SLOWER},
        devices=("cpu",),
        threads=threads,
        turns=TURNS,
        note="Affine maps, one for the whole batch." if (passed, threads) == ("forward", 1) else "",
    )
    for passed in ("forward", BOTH)
    for threads in (1, 2)
]
