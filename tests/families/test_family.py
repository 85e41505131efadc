"""The engine around the author's formula: checked arguments, bounded grids, results of the right shape."""

import pytest
import torch

import stnkit

pytestmark = pytest.mark.no_jaxtyping


class Shift(stnkit.TransformFamily):
    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None]


def test_a_result_of_the_author_is_bounded_and_its_shape_checked():
    class Wild(Shift):
        n_params = 2

        def _grid(self, theta, size):
            return torch.full((len(theta), *size, 2), torch.nan)

    family = Wild()
    assert (family.grid(torch.zeros(1, 2), (2, 3)) == stnkit.coordinates.OUTSIDE).all()
    wrong = type("Wrong", (Shift,), {"n_params": 2, "_grid": lambda self, theta, size: theta})()
    with pytest.raises(stnkit.errors.InputError, match=r"Wrong._grid: expected shape \[3, 4, 5, 2\], got \[3, 2\]"):
        wrong.grid(torch.zeros(3, 2), (4, 5))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("forward", "got"),
    [
        (lambda self, theta, points: None, "NoneType"),
        (lambda self, theta, points: points, r"\[1, 20, 2\]"),
        (lambda self, theta, points: (points + theta[:, None])[..., :1], r"\[3, 20, 1\]"),
    ],
)
def test_a_forward_that_gives_no_points_for_each_theta_is_told(forward, got):
    family = type("Mine", (Shift,), {"n_params": 2, "forward": forward})()
    message = rf"^Mine.forward: expected shape \[3, 20, 2\], got {got}$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        family.grid(torch.zeros(3, 2), (4, 5))


def test_forward_gets_valid_inputs_of_one_dtype_and_no_autocast():
    seen = []

    class Noting(Shift):
        n_params = 2

        def forward(self, theta, points):
            seen.append((theta.dtype, points.dtype, torch.is_autocast_enabled("cpu")))
            return points + theta[:, None]

    family = Noting()
    with torch.autocast("cpu", torch.bfloat16):
        family(torch.zeros(1, 2, dtype=torch.float16), torch.zeros(1, 3, 2))
        family(torch.zeros(1, 2), torch.zeros(1, 3, 2, dtype=torch.float64))
    assert seen == [(torch.float32, torch.float32, False), (torch.float64, torch.float64, False)]
    for theta, points in ((torch.zeros(1, 3), torch.zeros(1, 3, 2)), (torch.zeros(1, 2), torch.zeros(2, 3, 2))):
        with pytest.raises(stnkit.errors.InputError, match="Noting: expected"):
            family(theta, points)
    with pytest.raises(stnkit.errors.InputError, match=r"Noting: expected floating-point points, got torch\.int64"):
        family(torch.zeros(1, 2), torch.zeros(1, 3, 2, dtype=torch.int64))


def test_a_mark_of_a_bounded_grid_is_read_when_the_grid_is_made():
    class Bounded(Shift):
        n_params = 2

        @stnkit.families.bounded
        def _grid(self, theta, size):
            return torch.zeros(len(theta), *size, 2)

    class Unmarked(Bounded):
        def _grid(self, theta, size):
            return torch.full((len(theta), *size, 2), torch.inf)

    theta = torch.zeros(1, 2)
    assert Unmarked().grid(theta, (2, 3)).isfinite().all()
    family = Bounded()
    family._grid = lambda theta, size: torch.full((1, *size, 2), torch.nan)
    assert family.grid(theta, (2, 3)).isfinite().all()
    with pytest.raises(stnkit.errors.InputError, match=r"expected shape \[3, 2, 2, 2\], got \[1, 2, 2, 2\]"):
        type("One", (Shift,), {"n_params": 2, "_grid": lambda *_: torch.zeros(1, 2, 2, 2)})().grid(
            torch.zeros(3, 2), (2, 2)
        )
