"""The thin plate spline warp."""

from peers import peer
from warp import BOTH_BYTES, FORWARD_BYTES, LIMIT, SHAPES, forward, forward_and_backward, inputs, stnkit_warp
from work import Work

KORNIA = "it centers the kernels at the source points: another spline between the control points"
LEAST = {16: 30.0, 64: 60.0}  # against kornia, forward and backward


def works(n: int) -> list[Work]:
    """The spline of n × n control points."""
    points = n * n
    made = inputs("tps", control_points=[n, n])
    both = {"stnkit": stnkit_warp(), "kornia": peer("kornia", "tps")}
    alone = {"SciPy": peer("scipy", "tps"), "scikit-image": peer("skimage", "tps")}
    return [
        Work(
            f"tps warp of {points} points, forward",
            SHAPES,
            made,
            {name: forward(contender) for name, contender in (both | alone).items()},
            bytes_moved=FORWARD_BYTES,
            differs={"kornia": KORNIA},
            note="SciPy is `RBFInterpolator` and `map_coordinates`, scikit-image `ThinPlateSplineTransform` and "
            "`warp`: on one core, without a gradient. All of them solve their system in every call, as their "
            "interfaces have it; stnkit solves it when the transform is built, which is not timed, evaluates its "
            "functions once for each size of the output, in the first call, and keeps them.",
        ),
        Work(
            f"tps warp of {points} points, forward and backward",
            SHAPES,
            made,
            {name: forward_and_backward(contender) for name, contender in (both | LIMIT).items()},
            bytes_moved=BOTH_BYTES,
            least={"kornia": LEAST[points]} if points in LEAST else {},
            differs={"kornia": KORNIA},
            note="kornia is `get_tps_transform` and `warp_image_tps`.",
        ),
    ]


WORKS = [work for n in (4, 8, 16) for work in works(n)]
