from typing import Any

import torch

import stnkit


class Good(stnkit.TransformFamily):
    """T_θ(p) = p + θ · tanh(p), with x and y exchanged in the sine."""

    n_params = 2

    def __init__(self, strength: float = 1.0) -> None:
        super().__init__()
        self.strength = strength

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        theta = self.check_theta(theta)
        points = self.check_points(points, theta)
        return points + self.strength * theta[:, None] * torch.tanh(points.flip(-1))


class Nothing(Good):
    """The identity and nothing else: unusual, and not broken."""

    n_params = 0

    def identity(self):
        return torch.zeros(0, dtype=torch.float64)

    def forward(self, theta, points):
        theta = self.check_theta(theta)
        return self.check_points(points, theta).expand(len(theta), -1, -1)


class Learned(Good):
    """In three dimensions, with weights of its own: unusual, and not broken."""

    ndim = 3
    n_params = 1

    def __init__(self) -> None:
        super().__init__()
        self.frequency = torch.nn.Parameter(torch.randn(3))

    def identity(self):
        return torch.zeros(1, dtype=torch.float64)

    def forward(self, theta, points):
        theta = self.check_theta(theta)
        points = self.check_points(points, theta)
        return points + theta[:, None] * torch.sin(self.frequency * points)


class Raises(Good):
    def __init__(self) -> None:
        raise KeyError("no such thing")


class NoConfig(Good):
    def __init__(self, dtype: Any = torch.float32) -> None:
        super().__init__()


class Elsewhere(Good):
    def forward(self, theta, points):
        return super().forward(theta, points) + 0.01


class OnePointSet(stnkit.MatrixFamily):
    affine = True
    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def matrix(self, theta):
        eye = torch.eye(2, dtype=theta.dtype, device=theta.device)
        return stnkit.coordinates.homogeneous(eye.expand(len(theta), 2, 2), theta)

    def forward(self, theta, points):
        return super().forward(theta, points[:1])


class NoSinglePixels(Good):
    def grid(self, theta, size):
        grid = super().grid(theta, size)
        # As the textbook's i / (n − 1) has it.
        return grid / torch.tensor([n - 1 for n in size[::-1]]).clamp(max=1).to(grid)


class NoEmptyBatch(Good):
    def forward(self, theta, points):
        return super().forward(theta.reshape(len(theta), -1), points)


class Widened(Good):
    def forward(self, theta, points):
        return super().forward(theta, points).double()


class Halved(Good):
    def grid(self, theta, size):
        self.check_theta(theta)
        lattice = stnkit.coordinates.lattice(size, dtype=theta.dtype)[None]
        shift = theta.view(-1, *[1] * len(size), 2) * torch.tanh(lattice.flip(-1))
        return torch.nan_to_num(lattice + shift, nan=1e4).clamp(-1e4, 1e4)


class Narrowed(Good):
    def forward(self, theta, points):
        theta = self.check_theta(theta)
        points = self.check_points(points, theta)
        return points + torch.tanh(points.flip(-1)) @ torch.diag_embed(theta.to(points.dtype))


class Neighborly(Good):
    def grid(self, theta, size):
        theta = self.check_theta(theta)
        return super().grid(theta + 1e-3 * (theta[:1] - theta).nan_to_num(), size)


class OtherGrid(Good):
    def grid(self, theta, size):
        return super().grid(1.01 * self.check_theta(theta), size)


class FirstOrder(Good):
    def inverse(self, theta, points):
        return 2 * points - self(theta, points)


class Sums(Good):
    def compose(self, outer, inner):
        return outer + inner


class NotLinear(stnkit.LinearFamily):
    n_params = 6

    def identity(self):
        return torch.tensor([0, 1, 0, 0, 0, 1], dtype=torch.float64)

    def basis(self, points):
        return torch.cat([torch.ones_like(points[:, :1]), points], dim=1)

    def coefficients(self, theta):
        return (theta + 0.1 * torch.sin(theta - self.identity().to(theta))).view(-1, 2, 3)


class HalfGradient(Good):
    def forward(self, theta, points):
        return super().forward((theta + theta.detach()) / 2, points)


class Explodes(Good):
    def forward(self, theta, points):
        theta = self.check_theta(theta)
        points = self.check_points(points, theta)
        return points * theta[:, None].exp()


class RefusesNan(Good):
    def grid(self, theta, size):
        if not theta.isfinite().all():
            raise ValueError("not finite")
        return super().grid(theta, size)


class AnyWidth(Good):
    def forward(self, theta, points):
        return super().forward(theta[:, :2], points)

    def grid(self, theta, size):
        return super().grid(theta[:, :2], size)


class KeepsTensors(Good):
    def __init__(self) -> None:
        super().__init__()
        self.kept = {}

    def grid(self, theta, size):
        theta = self.check_theta(theta)
        key = (tuple(size), theta.dtype)
        if key not in self.kept:
            lattice = stnkit.coordinates.lattice(size, dtype=theta.dtype)[None]
            self.kept[key] = (lattice, torch.tanh(lattice.flip(-1)))
        lattice, basis = self.kept[key]
        source = lattice + theta.view(-1, *[1] * len(size), 2) * basis
        return torch.nan_to_num(source, nan=1e4).clamp(-1e4, 1e4)


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


class Stuck(Good):
    """θ² / |θ| far from the identity, and θ² near it."""

    def forward(self, theta, points):
        return super().forward(theta * torch.tanh(theta), points)


class NanAtTheIdentity(Good):
    """The other branch of `where` has an infinite derivative there."""

    def forward(self, theta, points):
        return super().forward(torch.where(theta == 0, theta, theta * torch.sin(theta) / theta), points)


class NanInTheCenter(Good):
    def forward(self, theta, points):
        radius = points.square().sum(dim=-1, keepdim=True).sqrt()
        return super().forward(theta, points) + theta[:, None] * radius


# Broken in another way than the one of BROKEN, each with the check that finds it.
ALSO_BROKEN = {Stuck: "gradients", NanAtTheIdentity: "gradients", NanInTheCenter: "gradients"}
BROKEN = {
    "construction": Raises,
    "config": NoConfig,
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
    "gradients": HalfGradient,
    "large_theta": Explodes,
    "nan_theta": RefusesNan,
    "wrong_theta": AnyWidth,
    "after_inference_mode": KeepsTensors,
    "state_dict": HiddenState,
    "pickled": HoldsALambda,
    "deep_copied": NoCopy,
    "compiled": Branches,
}
