"""Samplers on a ready grid."""

from peers import peer
from warp import BOTH_BYTES, FORWARD_BYTES, SHAPES, forward, forward_and_backward, inputs, stnkit_sampling
from work import Work

SAMPLERS = {
    "bicubic": {
        "stnkit": stnkit_sampling("bicubic"),
        "stnkit, a = −0.5": stnkit_sampling("bicubic", a=-0.5),
        "F.grid_sample": peer("torch", "grid_sample_bicubic"),
    },
    "B-spline": {
        "stnkit": stnkit_sampling("bspline", padding="reflection"),
        "torch-interpol": peer("interpol", "bspline_sampling"),
    },
}

WORKS = [
    Work(
        f"{sampler} sampling, {name}",
        SHAPES,
        inputs("affine"),
        {contender: timed(warp) for contender, warp in contenders.items()},
        bytes_moved=moved,
        differs={"stnkit, a = −0.5": "another of Keys' kernels, which F.grid_sample does not have"},
    )
    for sampler, contenders in SAMPLERS.items()
    for name, timed, moved in (
        ("forward", forward, FORWARD_BYTES),
        ("forward and backward", forward_and_backward, BOTH_BYTES),
    )
]
