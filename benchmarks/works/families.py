"""What the grid of each family costs: grid and sampling together, beside sampling alone."""

from collections.abc import Callable

from peers import peer
from warp import FORWARD_BYTES, SHAPES, Inputs, forward, inputs, stnkit_warp
from work import Call, Work

LARGEST = "1×3×1024×1024"
MATRIX, SPLINES, MANY = 1.3, 1.6, 2.5
MANY_LARGEST = 4.0  # where the basis of 64 points alone is 268 MB of traffic
FAMILIES = (
    [(name, {}, MATRIX) for name in ("translation", "rotation", "scale", "similarity", "attention", "affine")]
    + [(name, {}, MATRIX) for name in ("projective", "homography4")]
    + [(name, {"control_points": [4, 4]}, SPLINES) for name in ("tps", "piecewise_affine", "bspline")]
    + [("displacement", {"resolution": [4, 4]}, SPLINES)]
    + [(name, {"control_points": [8, 8]}, MANY) for name in ("tps", "piecewise_affine", "bspline")]
    + [("displacement", {"resolution": [8, 8]}, MANY)]
)


def warp_of(name: str, options: dict[str, list[int]]) -> Callable[[Inputs], Call]:
    """The warp by a family, with a θ of its own near its identity."""

    def call(made: Inputs) -> Call:
        own = inputs(name, **options)(made.image.shape, made.image.device.type)
        timed = forward(stnkit_warp())(own)
        return Call(timed.run)

    return call


def title(name: str, options: dict[str, list[int]]) -> str:
    """The family, with the number of its points along each axis."""
    return f"{name} {next(iter(options.values()))[0]}×{next(iter(options.values()))[1]}" if options else name


WORKS = [
    Work(
        "grid and sampling beside sampling alone",
        SHAPES,
        inputs("affine"),
        {"sampling alone": forward(peer("torch", "grid_sample_bilinear"))}
        | {title(name, options): warp_of(name, options) for name, options, _ in FAMILIES},
        bytes_moved=FORWARD_BYTES,
        most={
            title(name, options): {case: MANY_LARGEST if most == MANY and case == LARGEST else most for case in SHAPES}
            for name, options, most in FAMILIES
        },
        note="`F.grid_sample` on a grid that is ready is the limit on this machine. Ratios are to it, so smaller is "
        "better.",
    )
]
