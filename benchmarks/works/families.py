"""What the grid of each family costs: grid and sampling together, beside sampling alone."""

from peers import peer
from warp import FORWARD_BYTES, SHAPES, forward, inputs, stnkit_warp
from work import Work

LARGEST = "1×3×1024×1024"
MATRIX, SPLINES, MANY = 1.3, 1.6, 2.5
MANY_LARGEST = 4.0  # where the functions of 64 points, as one basis, are 268 MB of traffic
FAMILIES = (
    [(name, {}, MATRIX) for name in ("translation", "rotation", "scale", "similarity", "attention", "affine")]
    + [(name, {}, MATRIX) for name in ("projective", "homography4")]
    + [(name, {"control_points": [4, 4]}, SPLINES) for name in ("tps", "piecewise_affine", "bspline")]
    + [("displacement", {"resolution": [4, 4]}, SPLINES)]
    + [(name, {"control_points": [8, 8]}, MANY) for name in ("tps", "piecewise_affine", "bspline")]
    + [("displacement", {"resolution": [8, 8]}, MANY)]
)


def title(name: str, options: dict[str, list[int]]) -> str:
    """The family, with the number of its points along each axis."""
    return " ".join([name, *("×".join(map(str, points)) for points in options.values())])


WORKS = [
    Work(
        f"grid and sampling, {title(name, options)}",
        SHAPES,
        inputs(name, **options),
        {
            "sampling alone": forward(peer("torch", "grid_sample_bilinear")),
            title(name, options): forward(stnkit_warp()),
        },
        bytes_moved=FORWARD_BYTES,
        most={title(name, options): {c: MANY_LARGEST if most == MANY and c == LARGEST else most for c in SHAPES}},
        group="grid and sampling beside sampling alone",
        note="Ratios are to `F.grid_sample` on the same grid, which is ready: the limit on this machine. Smaller is "
        "better.",
    )
    for name, options, most in FAMILIES
]
