"""The projective warp."""

from peers import peer
from warp import BOTH_BYTES, FORWARD_BYTES, LIMIT, SHAPES, forward, forward_and_backward, inputs, stnkit_warp
from work import Work

CONTENDERS = {
    "stnkit": stnkit_warp(),
    "kornia warp_perspective": peer("kornia", "perspective"),
    "kornia homography_warp": peer("kornia", "homography"),
}

WORKS = [
    Work(
        f"projective warp, {name}",
        SHAPES,
        inputs("projective"),
        {contender: timed(warp) for contender, warp in (CONTENDERS | LIMIT).items()},
        bytes_moved=moved,
    )
    for name, timed, moved in (
        ("forward", forward, FORWARD_BYTES),
        ("forward and backward", forward_and_backward, BOTH_BYTES),
    )
]
