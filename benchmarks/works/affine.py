"""The affine warp."""

from peers import peer
from warp import BOTH_BYTES, FORWARD_BYTES, LIMIT, SHAPES, forward, forward_and_backward, inputs, stnkit_warp
from work import Work

CONTENDERS = {
    "stnkit": stnkit_warp(),
    "torch": peer("torch", "affine"),
    "kornia": peer("kornia", "affine"),
    "MONAI": peer("monai", "affine"),
}
SMALL = "256×1×42×42"

WORKS = [
    Work(
        "affine warp, forward",
        SHAPES,
        inputs("affine"),
        {name: forward(contender) for name, contender in CONTENDERS.items()},
        bytes_moved=FORWARD_BYTES,
    ),
    Work(
        "affine warp, forward and backward",
        SHAPES,
        inputs("affine"),
        {name: forward_and_backward(contender) for name, contender in (CONTENDERS | LIMIT).items()},
        bytes_moved=BOTH_BYTES,
        least={
            "torch": {case: 1.8 if case == SMALL else 0.95 for case in SHAPES},
            "kornia": {case: 2.0 if case == SMALL else 0.95 for case in SHAPES},
        },
        note="To the image and to the parameters, each in the contender's own form. torch is `F.affine_grid` and "
        "`F.grid_sample`; kornia `warp_affine`, which takes the map from input "
        "to output and inverts it in every call; MONAI `AffineTransform`.",
    ),
]
