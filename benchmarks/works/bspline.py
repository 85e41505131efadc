"""The free-form deformation by cubic B-splines."""

from peers import peer
from warp import BOTH_BYTES, FORWARD_BYTES, LIMIT, SHAPES, forward, forward_and_backward, inputs, stnkit_warp
from work import Work

CONTENDERS = {"stnkit": stnkit_warp(), "torch-interpol": peer("interpol", "bspline")}

WORKS = [
    Work(
        f"B-spline free-form warp, {n}×{n} points, {name}",
        SHAPES,
        inputs("bspline", control_points=[n, n]),
        {contender: timed(warp) for contender, warp in (CONTENDERS | LIMIT).items()},
        bytes_moved=moved,
        note="torch-interpol is `grid_pull` of the control points, then `F.grid_sample`. MONAI has no such warp.",
    )
    for n in (8, 64)
    for name, timed, moved in (
        ("forward", forward, FORWARD_BYTES),
        ("forward and backward", forward_and_backward, BOTH_BYTES),
    )
]
