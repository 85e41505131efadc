"""How time and memory grow with pixels, batch and control points."""

from collections.abc import Callable
from typing import Any

from peers import peer
from warp import Inputs, Warp, forward_and_backward, inputs, stnkit_warp
from work import Call, UnavailableError, Work

SIDES = (32, 64, 128, 256, 512, 1024)
BATCHES = (1, 4, 16, 64, 256)
POINTS = (3, 4, 6, 8, 12, 16, 24, 32)  # along an axis
KORNIA = "another spline between the control points"


def at_most(limit: int, of: Callable[[Inputs], int], contender: Callable[[Inputs], Warp]) -> Callable[[Inputs], Warp]:
    """A contender that is asked only while a number stays within a limit: beyond, a call takes a minute."""

    def warp(made: Inputs) -> Warp:
        if of(made) > limit:
            raise UnavailableError("too large")
        return contender(made)

    return warp


def pairs(made: Inputs) -> int:
    """Pairs of a pixel and a control point, in the whole batch."""
    return made.image[:, 0].numel() * made.theta.shape[1] // 2


def tps_of(n: int) -> Callable[[Any, str], Inputs]:
    """Inputs for n × n control points."""
    return inputs("tps", control_points=[n, n])


def contenders(**by: Callable[[Inputs], Warp]) -> dict[str, Callable[[Inputs], Call]]:
    """All forward and backward."""
    return {name: forward_and_backward(warp) for name, warp in by.items()}


AFFINE = contenders(stnkit=stnkit_warp(), torch=peer("torch", "affine"), kornia=peer("kornia", "affine"))
KORNIA_TPS = at_most(10**7, pairs, peer("kornia", "tps"))
TPS = contenders(stnkit=stnkit_warp(), kornia=KORNIA_TPS)

WORKS = [
    *(
        Work(
            f"growth with {axis}, {name}",
            cases,
            made,
            by,
            axis=axis,
            differs={"kornia": KORNIA} if name.startswith("tps") else {},
        )
        for name, made, by in (("affine", inputs("affine"), AFFINE), ("tps of 16 points", tps_of(4), TPS))
        for axis, cases in (
            ("pixels", {str(side * side): (4, 1, side, side) for side in SIDES}),
            ("batch", {str(batch): (batch, 1, 64, 64) for batch in BATCHES}),
        )
    ),
    Work(
        "growth with control points, tps",
        {str(n * n): (n, (4, 1, 128, 128)) for n in POINTS},
        lambda case, device: tps_of(case[0])(case[1], device),
        TPS,
        images=lambda case: case[1][0],
        axis="control points",
        differs={"kornia": KORNIA},
    ),
]
