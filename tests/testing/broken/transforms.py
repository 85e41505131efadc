from typing import Any

import torch

import stnkit

from . import called_under_autocast, plugin_api_1, shadow
from .charts import AlmostNowhere, HidesChart, LostInverse, SaysChart, ShiftedInverse
from .derivatives import HalfGradient, NanAtTheIdentity, NanInTheCenter, ReadsOneTwice, Stuck
from .good_transforms import Good
from .linear_families import HasConstant, NotAffine, NotLinear
from .weighted_families import DetachesWeights, KeepsProducts


class Raises(Good):
    def __init__(self) -> None:
        raise KeyError("no such thing")


class NoConfig(Good):
    def __init__(self, dtype: Any = torch.float32) -> None:
        super().__init__()


with plugin_api_1():

    class Overrides(Good):
        def grid(self, theta, size):
            return super().grid(theta, size)


class Scales(Good):
    def forward(self, theta, points):
        source = super().forward(theta, points)
        if not theta.requires_grad and len(theta) > 1:
            theta.mul_(1 + 1e-10)
        return source


class Elsewhere(Good):
    def forward(self, theta, points):
        return super().forward(theta, points) + 0.01


class OnePointSet(stnkit.TransformFamily):
    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points[:1] + theta[:, None]

    def _inverse(self, theta, points):
        return points - theta[:, None]


class NoSinglePixels(Good):
    def _grid(self, theta, size):
        steps = [2 / (n - 1) for n in size]  # between pixels whose outermost centers are at ±1
        assert min(steps) > 0
        return super()._grid(theta, size)


class NoEmptyBatch(Good):
    def forward(self, theta, points):
        return super().forward(theta.reshape(len(theta), -1), points)


class Widened(Good):
    def forward(self, theta, points):
        return super().forward(theta, points).double()


class Halved(Good):
    """`.half()` rounds its buffer, and with it every coordinate."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("third", torch.tensor(1 / 3, dtype=torch.float64))

    def forward(self, theta, points):
        return super().forward(theta, 3 * (self.third * points))


class Narrowed(Good):
    def forward(self, theta, points):
        source = super().forward(theta, points)
        return source.bfloat16().to(source.dtype) if called_under_autocast() else source


class Neighborly(Good):
    def _grid(self, theta, size):
        return super()._grid(theta + 1e-3 * (theta[:1] - theta).nan_to_num(), size)


class OtherGrid(Good):
    def _grid(self, theta, size):
        return super()._grid(1.01 * theta, size)


class FirstOrder(Good):
    def _inverse(self, theta, points):
        return 2 * points - self(theta, points)


class Sums(Good):
    def _compose(self, outer, inner):
        return outer + inner


class OtherMatrix(Good):
    def _matrix_form(self, theta):
        return torch.eye(3, dtype=theta.dtype, device=theta.device).expand(len(theta), 3, 3)


class Unbent(Good):
    def _bending_energy(self, theta, size):
        return 0 * theta.sum(dim=1)


class Unweighted(Good):
    def _fit(self, target, source, weights):
        return super()._fit(target, source, torch.ones_like(weights))


class Interleaved(stnkit.TransformFamily):
    """Displacements at the left and the right edge, linear between them: x and y of the one, then of the other."""

    n_params = 4
    lattice_shape = (1, 2)

    def identity(self):
        return torch.zeros(4, dtype=torch.float64)

    def forward(self, theta, points):
        left, right = theta[:, None, :2], theta[:, None, 2:]
        return points + (left * (1 - points[..., :1]) + right * (1 + points[..., :1])) / 2


class Explodes(Good):
    def forward(self, theta, points):
        return points * theta[:, None].exp()


class RefusesNan(Good):
    def _grid(self, theta, size):
        if not theta.isfinite().all():
            raise ValueError("not finite")
        return super()._grid(theta, size)


class SpreadsNan(Good):
    """One point that is NaN makes the mean NaN, and the mean every point."""

    def forward(self, theta, points):
        return super().forward(theta, points) + 0 * points.mean(dim=1, keepdim=True)


class AnyTheta(Good):
    def __init__(self) -> None:
        super().__init__()
        shadow(self, "check_theta", AnyTheta.two_columns)

    @staticmethod
    def two_columns(check, theta):
        theta = theta if theta.is_floating_point() else theta.float()
        return check(theta.view(-1, theta.shape[-1])[:, :2])


class AnyPoints(Good):
    def __init__(self) -> None:
        super().__init__()
        shadow(self, "check_points", AnyPoints.planar)

    @staticmethod
    def planar(check, points, theta):
        points = points if points.is_floating_point() else points.float()
        fitting = points.ndim == 3 and len(points) in (1, len(theta)) and points.shape[-1] == 2
        return check(points if fitting else points.reshape(-1)[:4].view(1, 2, 2), theta)


class AnySize(Good):
    def __init__(self) -> None:
        super().__init__()
        shadow(self, "grid", AnySize.two_sides)

    @staticmethod
    def two_sides(grid, theta, size):
        return grid(theta, [max(1, int(n)) for n in (*size, 1)[:2]])


class CachesTensors(Good):
    def __init__(self) -> None:
        super().__init__()
        self.cache = {}

    def _grid(self, theta, size):
        key = (size, theta.dtype, theta.device)
        if key not in self.cache:
            lattice = stnkit.coordinates.lattice(size, dtype=theta.dtype, device=theta.device)[None]
            self.cache[key] = (lattice, torch.tanh(lattice.flip(-1)))
        lattice, basis = self.cache[key]
        return lattice + theta.view(-1, *[1] * len(size), 2) * basis


class HiddenState(Good):
    def __init__(self) -> None:
        super().__init__()
        self.strength = 1 + torch.rand(()).item()


class HoldsALambda(Good):
    def __init__(self) -> None:
        super().__init__()
        self.function = lambda x: x


class NoCopy(Good):
    def __deepcopy__(self, memo):
        raise TypeError("one of a kind")


class Branches(Good):
    def forward(self, theta, points):
        if float(theta.detach().sum()) > 1e9:
            points = points.clone()
        return super().forward(theta, points)


class OneCoordinate(Good):
    def forward(self, theta, points):
        return super().forward(theta, points)[..., :1]


# Broken in another way than the one of BROKEN, each with the check that finds it.
ALSO_BROKEN = {
    Stuck: "gradients",
    NanAtTheIdentity: "gradients",
    NanInTheCenter: "gradients",
    NotAffine: "linearity",
    HasConstant: "linearity",
    SaysChart: "identity",
    HidesChart: "identity",
    AlmostNowhere: "identity",
    ShiftedInverse: "inverse",
    LostInverse: "inverse",
    DetachesWeights: "changed_weights",
}

BROKEN = {
    "construction": Raises,
    "final_methods": Overrides,
    "config": NoConfig,
    "unchanged_arguments": Scales,
    "identity": Elsewhere,
    "shapes": OnePointSet,
    "grid_sizes": NoSinglePixels,
    "empty_batch": NoEmptyBatch,
    "dtype_and_device": Widened,
    "half_precision": Halved,
    "autocast": Narrowed,
    "batch_independence": Neighborly,
    "forward_agrees_with_grid": OtherGrid,
    "inverse": FirstOrder,
    "composition": Sums,
    "linearity": NotLinear,
    "matrix_form": OtherMatrix,
    "bending_energy": Unbent,
    "fit": Unweighted,
    "lattice": Interleaved,
    "gradients": HalfGradient,
    "entries": ReadsOneTwice,
    "large_theta": Explodes,
    "nan_theta": RefusesNan,
    "nan_points": SpreadsNan,
    "wrong_theta": AnyTheta,
    "wrong_points": AnyPoints,
    "wrong_size": AnySize,
    "after_inference_mode": CachesTensors,
    "changed_weights": KeepsProducts,
    "state_dict": HiddenState,
    "pickled": HoldsALambda,
    "deep_copied": NoCopy,
    "compiled": Branches,
}
