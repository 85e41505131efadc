"""The native warp of matrices: beside stnkit before it, torch, kornia and OpenCV, with one thread and with two."""

from collections.abc import Callable, Sequence

import torch

import stnkit
from peers import peer
from peers.before import COMMIT
from peers.before import stnkit_warp as warp_before
from warp import Inputs, forward, forward_and_backward, forward_and_theta, inputs, stnkit_warp
from work import Call, Work

NAMES = ("256×1×28×28", "256×1×42×42", "32×3×224×224", "16×64×56×56", "1×3×1024×1024")
SHAPES = {name: tuple(int(n) for n in name.split("×")) for name in NAMES}
LAST = "16×64×56×56, channels-last"
SMALL = NAMES[:2]
BEFORE, SAMPLING, OPENCV = f"stnkit at {COMMIT}", "F.grid_sample alone", "OpenCV, image by image"
# Of each contender, at most: there are many cases.
TURNS = 3
THETA, BOTH = "forward and θ", "forward, θ and image"
PASSES = {"forward": forward, THETA: forward_and_theta, BOTH: forward_and_backward}
# The least time of the warp before over today's.
FORWARD_BEFORE = dict(zip(NAMES, (2.7, 2.7, 3.5, 3.0, 4.0), strict=True)) | {LAST: 3.0}
LEAST_BEFORE = {
    "forward": FORWARD_BEFORE,
    THETA: dict.fromkeys(FORWARD_BEFORE, 2.7),
    BOTH: dict.fromkeys(FORWARD_BEFORE, 2.3),
}
# Today's time over that of sampling alone, at most: of small images and of the others.
SHARE_OF_SAMPLING = {"forward": (0.6, 0.35), THETA: (0.75, 0.45), BOTH: (0.75, 0.45)}
LEAST_OF_LIBRARIES = {"kornia": 5.0, OPENCV: 2.0}  # affine, forward


def warped(transform: str) -> Callable[[tuple[Sequence[int], torch.memory_format], str], Inputs]:
    """Inputs of a shape and a memory format."""
    make = inputs(transform)

    def made(case: tuple[Sequence[int], torch.memory_format], device: str) -> Inputs:
        shape, layout = case
        drawn = make(shape, device)
        drawn.image, drawn.weight = (t.contiguous(memory_format=layout) for t in (drawn.image, drawn.weight))
        return drawn

    return made


def copied(made: Inputs) -> Call:
    """A copy of as many bytes as the output has."""
    output = torch.empty_like(made.image)
    return Call(lambda: output.copy_(made.image))


def contenders(transform: str, passed: str) -> dict[str, Callable[[Inputs], Call]]:
    """All that make this warp in one of the passes."""
    warps = {"stnkit": stnkit_warp(), BEFORE: warp_before(transform), SAMPLING: peer("torch", "grid_sample_bilinear")}
    if transform == "affine":
        warps |= {"F.affine_grid, F.grid_sample": peer("torch", "affine"), "kornia": peer("kornia", "affine")}
    if passed == "forward":
        warps |= {OPENCV: peer("opencv", transform)}
    timed = {name: PASSES[passed](warp) for name, warp in warps.items()}
    return timed | ({"copy_ of the output": copied} if passed == "forward" else {})


def targets(transform: str, passed: str) -> dict[str, float | dict[str, float]]:
    """The least ratios to today's time."""
    small, large = SHARE_OF_SAMPLING[passed]
    least: dict[str, float | dict[str, float]] = {
        BEFORE: LEAST_BEFORE[passed],
        SAMPLING: {case: 1 / (small if case in SMALL else large) for case in FORWARD_BEFORE},
    }
    return least | (LEAST_OF_LIBRARIES if (transform, passed) == ("affine", "forward") else {})


def tiny(shape: Sequence[int], device: str) -> Inputs:
    """Inputs of a few pixels: the smooth ones have a border of two."""
    image, family = torch.rand(*shape, device=device), stnkit.build("transform", "affine")
    theta = family.identity().float() + 0.02 * torch.randn(shape[0], family.n_params)
    return Inputs(image, theta.to(device), family, torch.rand_like(image))


def on(threads: int) -> str:
    """The threads in words."""
    return "1 thread" if threads == 1 else f"{threads} threads"


WORKS = [
    Work(
        f"native {transform} warp, {passed}, {on(threads)}",
        {name: (shape, torch.contiguous_format) for name, shape in SHAPES.items()}
        | {LAST: (SHAPES["16×64×56×56"], torch.channels_last)},
        warped(transform),
        contenders(transform, passed),
        images=lambda case: case[0][0],
        least=targets(transform, passed),
        devices=("cpu",),
        threads=threads,
        turns=TURNS,
        note=f"{BEFORE} is the commit before the native warp, in the same process under another name. {SAMPLING} "
        "reads a ready grid; today's warp is to take at most 0.6 of its time for the two small sizes and 0.35 for the "
        "others, with gradients 0.75 and 0.45: targets of 1.67, 2.86, 1.33 and 2.22 here. The ratio of `copy_` is the "
        "share of its speed that the warp reaches."
        if (transform, passed, threads) == ("affine", "forward", 1)
        else "",
    )
    for transform in ("affine", "projective")
    for passed in PASSES
    for threads in (1, 2)
] + [
    Work(
        f"a call of the native warp, {passed}",
        {"1×1×4×4": (1, 1, 4, 4)},
        tiny,
        {
            "stnkit": PASSES[passed](stnkit_warp()),
            BEFORE: PASSES[passed](warp_before("affine")),
            "F.affine_grid, F.grid_sample": PASSES[passed](peer("torch", "affine")),
        },
        microseconds={"stnkit": most},
        devices=("cpu",),
        calls=200,
        note="The mean of 200 calls, one after the other.",
    )
    for passed, most in (("forward", 15.0), (BOTH, 60.0))
]
