"""The flow of a continuous piecewise affine velocity field."""

from peers import peer
from warp import BOTH_BYTES, FORWARD_BYTES, SHAPES, forward, forward_and_backward, inputs, stnkit_warp
from work import Work

CASES = {case: SHAPES[case] for case in ("256×1×42×42", "32×3×224×224")}

WORKS = [
    Work(
        f"CPAB warp, 3×3 cells, {name}",
        CASES,
        inputs("cpab", cells=[3, 3]),
        {"stnkit": timed(stnkit_warp()), "libcpab": timed(peer("libcpab", "cpab_3x3"))},
        bytes_moved=moved,
        least={"libcpab": 30.0},
        differs={"libcpab": "its θ has another basis, and its trajectories are 50 steps in Python"},
        note="libcpab comes without the sources of its compiled half, and integrates in Python.",
    )
    for name, timed, moved in (
        ("forward", forward, FORWARD_BYTES),
        ("forward and backward", forward_and_backward, BOTH_BYTES),
    )
] + [
    Work(
        "grid and sampling, cpab 3×3",
        {"256×1×42×42": SHAPES["256×1×42×42"]},
        inputs("cpab", cells=[3, 3]),
        {
            "sampling alone": forward(peer("torch", "grid_sample_bilinear")),
            "cpab 3×3": forward(stnkit_warp()),
        },
        bytes_moved=FORWARD_BYTES,
        most={"cpab 3×3": 6.0},
        note="Ratios are to `F.grid_sample` on the same grid, which is ready.",
    )
]
