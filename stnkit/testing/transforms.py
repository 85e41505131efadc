"""What every transform family has to do: the checks of `TransformFamily`, its contract in properties.

θ are small random steps from `identity()`, for that is all that is known of a family one has not seen.
"""

import torch
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.errors import DoesNotComposeError, InputError
from stnkit.families.family import TransformFamily
from stnkit.families.linear import LinearFamily
from stnkit.testing import round_trips
from stnkit.testing.assertions import (
    FLOAT32,
    FLOAT64,
    ITERATED,
    CheckFailed,
    NotApplicable,
    close,
    finite,
    gradcheck_sentence,
    require,
)
from stnkit.testing.component_under_test import NotBuilt, Subject
from stnkit.testing.inputs import SIZE, devices, lattice_points, points_of, theta_of, uniform

# Non-square ones, and axes of a single pixel.
SIZES: dict[int, list[tuple[int, ...]]] = {
    2: [(7, 3), (2, 9), (1, 6), (6, 1), (1, 1)],
    3: [(2, 4, 3), (1, 3, 1), (4, 1, 2), (1, 1, 1)],
}


def construction(subject: Subject) -> None:
    """The constructor works with the options, and sets `ndim` (2 or 3) and `n_params` (a whole number)."""
    try:
        family: TransformFamily = subject.built()
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason
    require(family.ndim in (2, 3), f"ndim must be 2 or 3, but it is {family.ndim!r}")
    n_params = getattr(family, "n_params", None)
    require(type(n_params) is int and n_params >= 0, f"n_params must be a whole number, but it is {n_params!r}")


def config(subject: Subject) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(subject)


def identity(subject: Subject) -> None:
    """The θ of `identity`, n_params numbers in float64, has T_θ(p) = p, and its grid is the pixel centers."""
    family: TransformFamily = subject.built()
    theta = family.identity()
    shape, dtype = tuple(theta.shape), theta.dtype
    require(shape == (family.n_params,), f"identity() must have shape ({family.n_params},), but it has {shape}")
    require(dtype == torch.float64, f"identity() must be in float64, but it is in {dtype}")
    for wanted, tolerance in ((torch.float64, FLOAT64), (torch.float32, FLOAT32)):
        points = points_of(family, reach=1.0).to(wanted)
        row = theta.to(wanted)[None]
        close(family(row, points), points, tolerance, "the identity must leave every point where it is")
        lattice = coordinates.lattice(SIZE[family.ndim], dtype=wanted)[None]
        close(
            family.grid(row, SIZE[family.ndim]),
            lattice,
            tolerance,
            "the grid of the identity must be the pixel centers",
        )


def shapes(subject: Subject) -> None:
    """forward: θ (B, P) and points (1, N, ndim) or (B, N, ndim) give (B, N, ndim), each row by its own θ and points."""
    family: TransformFamily = subject.built()
    theta, points = theta_of(family), points_of(family, batch=3)
    shape, expected = tuple(family(theta, points).shape), tuple(points.shape)
    require(shape == expected, f"forward must give points of shape {expected} for as many, but they have {shape}")
    claim = "forward must map each set of points by the θ of its row"
    close(family(theta, points), _row_by_row(family, theta, points), FLOAT64, claim)
    claim = "one set of points, (1, N, ndim), must serve every θ"
    shared = torch.cat([family(row[None], points[:1]) for row in theta])
    close(family(theta, points[:1]), shared, FLOAT64, claim)


def grid_sizes(subject: Subject) -> None:
    """grid(θ, size) has shape (B, *size, ndim) and is finite for any size, not square and with axes of one pixel."""
    family: TransformFamily = subject.built()
    theta = theta_of(family)
    for size in SIZES[family.ndim]:
        shape = tuple(family.grid(theta, size).shape)
        expected = (len(theta), *size, family.ndim)
        require(shape == expected, f"the grid of {list(size)} must have shape {expected}, but it has {shape}")
        finite(family.grid(theta, size), f"the grid of {list(size)} must be finite")


def empty_batch(subject: Subject) -> None:
    """A batch of no θ has a grid and points of the right shape, with nothing in them."""
    family: TransformFamily = subject.built()
    theta, size = torch.zeros(0, family.n_params), SIZE[family.ndim]
    for name, found, expected in (
        ("grid", family.grid(theta, size), (0, *size, family.ndim)),
        ("forward", family(theta, points_of(family).float()), (0, 12, family.ndim)),
    ):
        require(tuple(found.shape) == expected, f"{name} must have shape {expected}, but has {tuple(found.shape)}")


def dtype_and_device(subject: Subject) -> None:
    """float32 gives float32 and float64 float64, on the device of θ: the CPU, and a GPU if there is one."""
    for device in devices():
        family = subject.another().to(device)
        for dtype in (torch.float32, torch.float64):
            theta, points = (t.to(device, dtype) for t in (theta_of(family), points_of(family)))
            for name, found in (
                ("forward", family(theta, points)),
                ("grid", family.grid(theta, SIZE[family.ndim])),
                ("inverse", family.inverse(theta, points)),
            ):
                kept = found.dtype == dtype and found.device.type == device.type
                require(kept, f"{name} must stay in {dtype} on {device}, but it is in {found.dtype} on {found.device}")


def half_precision(subject: Subject) -> None:
    """A θ of half precision, and a family that was cast by `.half()`, give coordinates in float32 or wider."""
    family: TransformFamily = subject.another()
    size = SIZE[family.ndim]
    for dtype in (torch.float16, torch.bfloat16):
        theta = theta_of(family, spread=0.1, dtype=dtype)
        grid = family.grid(theta, size)
        wide = grid.dtype in (torch.float32, torch.float64)
        require(wide, f"the grid of a θ in {dtype} must be in float32 or wider, but it is in {grid.dtype}")
        claim = f"the grid of a θ in {dtype} must be that of the same numbers in float32"
        close(grid, family.grid(theta.float(), size), FLOAT32, claim)
    theta = theta_of(family, dtype=torch.float32)
    expected = family.grid(theta, size)
    if not list(family.parameters()):
        close(
            family.half().grid(theta, size),
            expected,
            FLOAT32,
            "casting the family by .half() must not narrow coordinates",
        )


def autocast(subject: Subject) -> None:
    """Autocast changes neither points nor grid: coordinates stay in float32."""
    family: TransformFamily = subject.built()
    theta, points = theta_of(family, spread=0.1, dtype=torch.float32), points_of(family).float()
    expected = family(theta, points), family.grid(theta, SIZE[family.ndim])
    with torch.autocast("cpu", torch.bfloat16):
        found = family(theta, points), family.grid(theta, SIZE[family.ndim])
    for name, ours, theirs in zip(("forward", "grid"), found, expected, strict=True):
        wide = ours.dtype in (torch.float32, torch.float64)
        require(wide, f"{name} under autocast must be in float32 or wider, but it is in {ours.dtype}")
        close(ours, theirs, FLOAT32, f"{name} under autocast must give the same (see coordinates.full_precision)")


def batch_independence(subject: Subject) -> None:
    """Element i of a batch is what the same θ gives alone."""
    family: TransformFamily = subject.built()
    theta, points = theta_of(family, batch=4), points_of(family)
    source = torch.cat([family(row[None], points) for row in theta])
    close(family(theta, points), source, FLOAT64, "forward must give each θ what it gives it alone")
    grids = torch.cat([family.grid(row[None], SIZE[family.ndim]) for row in theta])
    close(family.grid(theta, SIZE[family.ndim]), grids, FLOAT64, "grid must give each θ what it gives it alone")
    found = torch.cat([family.inverse(row[None], points) for row in theta])
    claim = "inverse must give each θ what it gives it alone"
    close(family.inverse(theta, points), found, ITERATED / 100, claim)


def forward_agrees_with_grid(subject: Subject) -> None:
    """grid(θ, size) is forward on the pixel centers, in value and in its gradient to θ."""
    family: TransformFamily = subject.built()
    size = SIZE[family.ndim]
    for spread in (0.02, 0.2):
        for dtype, tolerance in ((torch.float64, FLOAT64), (torch.float32, FLOAT32)):
            theta = theta_of(family, batch=1, spread=spread, dtype=dtype).requires_grad_()
            weight = uniform(1, *size, family.ndim).to(dtype)
            grid = family.grid(theta, size)
            points = coordinates.finite(family(theta, lattice_points(size, dtype))).view(grid.shape)
            close(grid, points, tolerance, "grid must be forward on the pixel centers")
            if dtype == torch.float64:
                ours, theirs = (_gradient((source * weight).sum(), theta) for source in (grid, points))
                close(ours, theirs, FLOAT64, "the gradient of grid must be that of forward on the pixel centers")


def inverse(subject: Subject) -> None:
    """T_θ(inverse(θ, q)) = q: of points that come from the image nearly all are found, and no answer is wrong.

    Where a map folds there are several answers, of which any one is right; where there is none, it is NaN. Of the
    points q = T_θ(p), which have an answer, a method that iterates may miss one in ten.
    """
    family: TransformFamily = subject.built()
    for dtype, tolerance in ((torch.float64, ITERATED / 100), (torch.float32, ITERATED)):
        theta = theta_of(family, dtype=dtype)
        points = points_of(family, n=30).to(dtype)
        from_image = family(theta, points).detach()
        anywhere = (2.5 * uniform(1, 30, family.ndim, seed=7)).to(dtype).expand(len(theta), -1, -1)
        for q in (from_image, anywhere):
            found = family.inverse(theta, q)
            known = found.isfinite().all(dim=-1)
            if q is from_image:
                share = known.double().mean().item()
                require(share >= 0.9, f"inverse must find the points of the image, but it found {share:.0%} of them")
            back = _row_by_row(family, theta, torch.where(known[..., None], found, 0.0))
            # A point without an answer is compared with itself.
            close(torch.where(known[..., None], back, q), q, tolerance, "T_θ(inverse(θ, q)) must be q")


def composition(subject: Subject) -> None:
    """T of compose(outer, inner) is T_outer ∘ T_inner, for families that compose."""
    family: TransformFamily = subject.built()
    outer, inner = theta_of(family, seed=1), theta_of(family, seed=2)
    try:
        composed = family.compose(outer, inner)
    except DoesNotComposeError as reason:
        raise NotApplicable(str(reason)) from reason
    points = points_of(family)
    claim = "forward with compose(outer, inner) must be forward with inner, then with outer"
    close(family(composed, points), _row_by_row(family, outer, family(inner, points)), FLOAT64, claim)


def linearity(subject: Subject) -> None:
    """T_{aθ + φ}(p) = a T_θ(p) + T_φ(p), for a LinearFamily."""
    family: TransformFamily = subject.built()
    if not isinstance(family, LinearFamily):
        raise NotApplicable(f"{type(family).__name__} is no LinearFamily")
    first, second, points = theta_of(family, seed=1), theta_of(family, seed=2), points_of(family)
    together = family(-1.7 * first + second, points)
    claim = "a LinearFamily must be linear in θ"
    close(together, -1.7 * family(first, points) + family(second, points), FLOAT64, claim)


def gradients(subject: Subject) -> None:
    """The gradients of forward to θ and to the points, and of grid to θ, are those of finite differences.

    At the identity they are finite, in the center of the image too; and that of the grid to θ is not zero throughout,
    or training, which starts there, would never leave it. A family that has weights of its own may learn to.
    """
    family: TransformFamily = subject.built()
    theta = theta_of(family, batch=2).requires_grad_(family.n_params > 0)
    points = points_of(family, n=5).requires_grad_()
    _check_gradients("forward", family, (theta, points))
    if family.n_params:
        size = (2, 3, 2)[: family.ndim]
        _check_gradients("grid", lambda rows: family.grid(rows, size), (theta,))
        _check_start(family)


def large_theta(subject: Subject) -> None:
    """The grid and its gradient are finite for θ of any finite size in float32: a run may get there and come back."""
    family: TransformFamily = subject.built()
    for spread in (1e2, 1e6, 1e15, 1e30):
        theta = theta_of(family, batch=8, spread=spread, dtype=torch.float32).requires_grad_()
        grid = family.grid(theta, SIZE[family.ndim])
        finite(grid, f"the grid must be finite for θ of about {spread:g}")
        finite(_gradient(grid.sum(), theta), f"the gradient of the grid must be finite for θ of about {spread:g}")


def nan_theta(subject: Subject) -> None:
    """A θ with NaN or infinity has a grid that is finite, and leaves the others of its batch alone."""
    family: TransformFamily = subject.built()
    size = SIZE[family.ndim]
    # Sums over the pixels in float32 keep fewer digits.
    for dtype, tolerance in ((torch.float64, FLOAT64), (torch.float32, ITERATED)):
        good = theta_of(family, batch=1, dtype=dtype).requires_grad_()
        expected = family.grid(good, size)
        gradient = _gradient(expected.sum(), good)
        # At one place, for some of the places, and at all.
        places = range(0, family.n_params, max(1, family.n_params // 16))
        for value in (torch.nan, torch.inf, -torch.inf):
            bad = good.detach().repeat(len(places) + 1, 1)
            bad[range(len(places)), places] = value
            bad[-1] = value
            theta = torch.cat([good.detach(), bad]).requires_grad_()
            grid = family.grid(theta, size)
            finite(grid, f"the grid must be finite for θ with {value}")
            close(grid[:1], expected, tolerance, f"a θ with {value} must not change the grid of another")
            claim = f"a θ with {value} must not change the gradient of another"
            close(_gradient(grid[:1].sum(), theta)[:1], gradient, tolerance, claim)


def wrong_theta(subject: Subject) -> None:
    """A θ of the wrong width is refused by an InputError, as `check_theta` does it."""
    family: TransformFamily = subject.built()
    try:
        family.grid(torch.zeros(2, family.n_params + 1), SIZE[family.ndim])
    except InputError:
        return
    raise CheckFailed(f"grid must refuse a θ of {family.n_params + 1} instead of {family.n_params} entries")


def after_inference_mode(subject: Subject) -> None:
    """A grid can be differentiated after one of its size was made in inference mode, as a validation does."""
    family: TransformFamily = subject.built()
    theta, size = theta_of(family, dtype=torch.float32), SIZE[family.ndim]
    with torch.inference_mode():
        family.grid(theta, size)
    theta = theta.requires_grad_()
    finite(_gradient(family.grid(theta, size).sum(), theta), "the gradient after inference mode must be finite")


def state_dict(subject: Subject) -> None:
    """A second family that loads the state of the first, through a file of plain tensors, has the same grid."""
    family: TransformFamily = subject.built()
    round_trips.after_state_dict(family, subject.another(), _some_grid)


def pickled(subject: Subject) -> None:
    """A family that was used, pickled and unpickled has the same grid."""
    round_trips.after_pickle(subject.built(), _some_grid)


def deep_copied(subject: Subject) -> None:
    """A deep copy of a family that was used has the same grid."""
    round_trips.after_deepcopy(subject.built(), _some_grid)


def compiled(subject: Subject) -> None:
    """torch.compile(fullgraph=True) of the grid gives the same values and gradients."""
    family: TransformFamily = subject.built()
    theta = theta_of(family, dtype=torch.float32).requires_grad_()
    size = SIZE[family.ndim]
    compiled_grid = torch.compile(_Grid(family, size), fullgraph=True, backend="aot_eager")
    round_trips.after_compile(family, lambda f: f.grid(theta, size), lambda _: compiled_grid(theta), [theta])


CHECKS = (
    construction,
    config,
    identity,
    shapes,
    grid_sizes,
    empty_batch,
    dtype_and_device,
    half_precision,
    autocast,
    batch_independence,
    forward_agrees_with_grid,
    inverse,
    composition,
    linearity,
    gradients,
    large_theta,
    nan_theta,
    wrong_theta,
    after_inference_mode,
    state_dict,
    pickled,
    deep_copied,
    compiled,
)


class _Grid(nn.Module):
    """θ ↦ family.grid(θ, size)."""

    def __init__(self, family: TransformFamily, size: tuple[int, ...]) -> None:
        super().__init__()
        self.family = family
        self.size = size

    def forward(self, theta: Tensor) -> Tensor:
        return self.family.grid(theta, self.size)


def _some_grid(family: TransformFamily) -> Tensor:
    return family.grid(theta_of(family), SIZE[family.ndim])


def _row_by_row(family: TransformFamily, theta: Tensor, points: Tensor) -> Tensor:
    """Forward with one θ and its points at a time: what a batch has to agree with."""
    return torch.cat([family(row[None], part[None]) for row, part in zip(theta, points, strict=True)])


def _gradient(value: Tensor, theta: Tensor) -> Tensor:
    if not value.requires_grad:
        return torch.zeros_like(theta)
    (found,) = torch.autograd.grad(value, theta, allow_unused=True)
    return torch.zeros_like(theta) if found is None else found


def _check_start(family: TransformFamily) -> None:
    theta = family.identity().detach().clone()[None].requires_grad_()
    points = torch.zeros(1, 1, family.ndim, dtype=torch.float64, requires_grad=True)
    for name, wanted in (("θ", theta), ("the point", points)):
        found = _gradient(family(theta, points).sum(), wanted)
        finite(found, f"the gradient of forward to {name} must be finite at the identity, in the center")
    # Of odd sides, so that one of the pixels is the center.
    grid = family.grid(theta, (3, 5, 3)[: family.ndim])
    found = _gradient((grid * uniform(*grid.shape, seed=8)).sum(), theta)
    finite(found, "the gradient of grid must be finite at the identity, where training starts")
    leaves = float(found.abs().max()) > FLOAT64 or any(p.requires_grad for p in family.parameters())
    require(leaves, "the gradient of grid must not be 0 at the identity, where training starts and would stay")


def _check_gradients(name: str, call: object, inputs: tuple[Tensor, ...]) -> None:
    try:
        # Fast mode: along random directions, or each of a spline's many parameters would be moved by itself.
        torch.autograd.gradcheck(call, inputs, fast_mode=True)  # type: ignore[arg-type]
    except (RuntimeError, AssertionError) as error:
        text = gradcheck_sentence(error)
        raise CheckFailed(f"the gradient of {name} must be that of finite differences: {text}") from error
