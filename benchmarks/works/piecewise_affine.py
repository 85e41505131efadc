"""The piecewise affine warp."""

import dataclasses
from collections.abc import Callable, Sequence

from peers import peer
from warp import BOTH_BYTES, FORWARD_BYTES, LIMIT, SHAPES, Inputs, forward, forward_and_backward, inputs, stnkit_warp
from work import Work

# On 5 × 5 cells of its own.
LIBCPAB = {"libcpab": peer("libcpab", "cpab")}
BATCH_OF_32 = "32×3×224×224"


def mesh(n: int) -> Callable[[Sequence[int], str], Inputs]:
    """Inputs for a mesh of n × n points, which are moved by one amount for their row and one for their column.

    So every cell stays a parallelogram, and it is the same map along whichever diagonal a library cuts it.
    """
    make = inputs("piecewise_affine", control_points=[n, n])

    def made(shape: Sequence[int], device: str) -> Inputs:
        drawn = make(shape, device)
        identity = drawn.family.identity().to(drawn.theta)
        moved = (drawn.theta - identity).view(-1, 2, n, n)
        moved = moved[..., :1] + moved[..., :1, :]
        return dataclasses.replace(drawn, theta=identity + moved.flatten(start_dim=1))

    return made


def works(n: int) -> list[Work]:
    """The mesh of n × n control points."""
    made = mesh(n)
    return [
        Work(
            f"piecewise affine warp, {n}×{n} mesh, forward",
            SHAPES,
            made,
            {"stnkit": forward(stnkit_warp()), "scikit-image": forward(peer("skimage", "piecewise_affine"))},
            bytes_moved=FORWARD_BYTES,
            least={"scikit-image": {BATCH_OF_32: 50.0}},
            note="scikit-image is `PiecewiseAffineTransform` and `warp`, image by image, on one core and "
            "without a gradient; it fits the mesh anew for each image. The target is for a batch of 32.",
        ),
        Work(
            f"piecewise affine warp, {n}×{n} mesh, forward and backward",
            SHAPES,
            made,
            {
                name: forward_and_backward(contender)
                for name, contender in ({"stnkit": stnkit_warp()} | LIMIT | (LIBCPAB if n == 5 else {})).items()
            },
            bytes_moved=BOTH_BYTES,
            differs={"libcpab": "it integrates a velocity field that is piecewise affine"},
            note="libcpab comes without the sources of its compiled half, and integrates in Python." if n == 5 else "",
        ),
    ]


WORKS = [work for n in (5, 16) for work in works(n)]
