import torch

import stnkit


class NotLinear(stnkit.families.LinearFamily):
    n_params = 6

    def identity(self):
        return torch.tensor([0, 1, 0, 0, 0, 1], dtype=torch.float64)

    def basis(self, points):
        return torch.cat([torch.ones_like(points[:, :1]), points], dim=1)

    def coefficients(self, theta):
        return (theta + 0.1 * torch.sin(theta - self.identity().to(theta))).view(-1, 2, 3)


class NotAffine(NotLinear):
    has_constant = True


class HasConstant(stnkit.families.LinearFamily):
    """A triangle whose last corner, (0, 0.5), stays where it is."""

    n_params = 4

    def identity(self):
        return torch.tensor([1, 0, 0.5, 1], dtype=torch.float64)

    def basis(self, points):
        x, y = points.unbind(dim=1)
        return torch.stack([x, 2 * y - 1, 2 - x - 2 * y], dim=1)

    def coefficients(self, theta):
        corner = theta.new_tensor([[0.0], [0.5]]).expand(theta.shape[0], -1, -1)
        return torch.cat([theta.view(-1, 2, 2), corner], dim=2)


class SaysConstant(HasConstant):
    has_constant = True
