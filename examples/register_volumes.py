"""Registration of two drawn volumes by gradient descent on θ: the mean distance to the true points, in voxels."""

import torch

import stnkit


def register(transform: str | dict, spread: float = 0.15, size: tuple = (10, 16, 24), steps: int = 150) -> float:
    draw, sampler = torch.Generator().manual_seed(0), stnkit.build("sampler", "bilinear")
    family = stnkit.build("transform", transform, ndim=3, in_shape=(1, *size))
    points, centers = stnkit.coordinates.lattice(size).view(1, -1, 3), 1.4 * torch.rand(40, 1, 3, generator=draw) - 0.7
    moving = (-20 * (points - centers).square().sum(dim=-1)).exp().sum(dim=0).view(1, 1, *size)
    true = family.identity()[None].float() + spread * torch.randn(1, family.n_params, generator=draw)
    fixed, theta = stnkit.warp(family, true, moving, sampler), family.identity()[None].float().requires_grad_()
    optimizer = torch.optim.Adam([theta], lr=0.03)
    for _ in range(steps):
        optimizer.zero_grad()
        stnkit.similarity.mse(stnkit.warp(family, theta, moving, sampler), fixed).sum().backward()
        optimizer.step()
    found, expected = (stnkit.coordinates.to_pixels(family(t.detach(), points), size) for t in (theta, true))
    return float((found - expected).norm(dim=-1).mean())


if __name__ == "__main__":
    print(register("euclidean"), register({"name": "velocity", "control_points": [4, 4, 4], "steps": 2}))
