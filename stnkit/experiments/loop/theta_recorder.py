"""A recorder of the last θ of every transformer of a network."""

import functools
from typing import Any

import torch
from torch import Tensor, nn

from stnkit.insertion.find import find_transformers


class ThetaRecorder:
    """The last θ of every SpatialTransformer of a network, recorded by a hook on its `theta_probe`.

    It is false where the network has no transformer.

    Args:
        network: with any number of transformers.
    """

    def __init__(self, network: nn.Module) -> None:
        self.transformers = list(find_transformers(network).values())
        self.thetas: dict[int, Tensor] = {}
        self.in_sizes: dict[int, tuple[int, ...]] = {}
        self._identities = [t.family.identity() for t in self.transformers]
        for i, transformer in enumerate(self.transformers):
            transformer.register_forward_pre_hook(functools.partial(_record_size, self, i))
            transformer.theta_probe.register_forward_hook(functools.partial(_record_theta, self, i))

    def __bool__(self) -> bool:
        return bool(self.transformers)

    def all_finite(self) -> Tensor:
        """True if every last θ is finite, or there is none."""
        finite = [torch.isfinite(theta).all() for theta in self.thetas.values()]
        return torch.stack(finite).all() if finite else torch.tensor(True)

    def distance(self) -> Tensor:
        """‖θ − identity‖, mean over batch and transformers; 0 where there is none."""
        distances = [(theta - self._identities[i].to(theta)).norm(dim=1).mean() for i, theta in self.thetas.items()]
        return torch.stack(distances).mean() if distances else torch.zeros(())

    def outside_share(self) -> Tensor:
        """Share of the grid points of the last θ that lie outside of the image; 0 where there is no θ."""
        shares = []
        for i, theta in self.thetas.items():
            transformer = self.transformers[i]
            grid = transformer.family.grid(theta, transformer.out_size or self.in_sizes[i])
            shares.append(1 - transformer.sampler.valid(grid).float().mean())
        return torch.stack(shares).mean() if shares else torch.zeros(())


# Hooks are functions of the module and not closures, so that the network can be pickled; the hooks of a copied network
# write to a copy of the recorder.
def _record_size(recorder: ThetaRecorder, index: int, module: nn.Module, inputs: tuple[Tensor]) -> None:
    recorder.in_sizes[index] = tuple(inputs[0].shape[2:])


def _record_theta(recorder: ThetaRecorder, index: int, module: nn.Module, inputs: Any, theta: Tensor) -> None:
    recorder.thetas[index] = theta.detach()
