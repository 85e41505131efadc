"""What the transformers of a network did with the last batch."""

import functools
from typing import Any

import torch
from torch import Tensor, nn

from stnkit.transformer import SpatialTransformer


def input_transformer(network: nn.Module) -> SpatialTransformer | None:
    """The one transformer that sees the images themselves, or None where there is none or no single one."""
    transformer = getattr(network, "transformer", None)
    return transformer if isinstance(transformer, SpatialTransformer) else None


class ThetaWatch:
    """Keeps the last θ of every SpatialTransformer in a network, by a hook on what passes it on.

    Args:
        network: in which transformers are looked for.
    """

    def __init__(self, network: nn.Module) -> None:
        self.transformers = [m for m in network.modules() if isinstance(m, SpatialTransformer)]
        self.thetas: dict[int, Tensor] = {}
        self.in_sizes: dict[int, tuple[int, ...]] = {}
        self._identities = [t.family.identity().float() for t in self.transformers]
        for i, transformer in enumerate(self.transformers):
            transformer.register_forward_pre_hook(functools.partial(_keep_size, self, i))
            transformer.theta_probe.register_forward_hook(functools.partial(_keep_theta, self, i))

    def __bool__(self) -> bool:
        return bool(self.transformers)

    def all_finite(self) -> Tensor:
        """Whether every last θ is finite; true where there is none."""
        finite = [torch.isfinite(theta).all() for theta in self.thetas.values()]
        return torch.stack(finite).all() if finite else torch.tensor(True)

    def distance(self) -> Tensor:
        """‖θ − identity‖, mean over batch and transformers; 0 where there is none."""
        distances = [(theta - self._identities[i].to(theta)).norm(dim=1).mean() for i, theta in self.thetas.items()]
        return torch.stack(distances).mean() if distances else torch.zeros(())

    def outside_share(self) -> Tensor:
        """Share of the grid points of the last θ that lie outside of the image; 0 where there is no grid."""
        shares = []
        for i, theta in self.thetas.items():
            transformer = self.transformers[i]
            grid = transformer.family.grid(theta, transformer.out_size or self.in_sizes[i])
            shares.append(1 - transformer.sampler.valid(grid).float().mean())
        return torch.stack(shares).mean() if shares else torch.zeros(())


# Functions of the module and not closures, so that a network that is watched can be pickled, and a copy of it is
# watched by a copy.
def _keep_size(watch: ThetaWatch, index: int, module: nn.Module, inputs: tuple[Tensor]) -> None:
    watch.in_sizes[index] = tuple(inputs[0].shape[2:])


def _keep_theta(watch: ThetaWatch, index: int, module: nn.Module, inputs: Any, theta: Tensor) -> None:
    watch.thetas[index] = theta.detach()
