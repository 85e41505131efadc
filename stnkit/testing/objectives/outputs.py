"""The losses and figures of a batch, checked for names, shapes and finite numbers."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from stnkit.objectives import Batch, Objective
from stnkit.testing.assertions import CheckFailed, NotApplicable, finite, require
from stnkit.testing.objectives.synthetic_run import SyntheticRun


def check_losses(objective: Objective, batch: Batch) -> None:
    """The losses of the batch are one finite number for each name in `terms`."""
    terms = _named("losses", objective.losses(batch), "terms", objective.terms)
    for name, value in terms.items():
        shape = tuple(value.shape)
        require(shape == () and value.is_floating_point(), f"{name}: expected one real number, got shape {shape}")
        finite(value, f"{name} must be finite")


def check_total_weight(objective: Objective, batch: Batch) -> None:
    """The sum of the weights of the images in the losses is one finite number of at least 0, or None."""
    with torch.no_grad():
        weight = objective.total_weight(batch)
    if weight is None:
        return
    real = isinstance(weight, Tensor) and weight.is_floating_point()
    got = f"shape {tuple(weight.shape)}" if real else type(weight).__name__
    require(real and not weight.ndim, f"total_weight: expected one real number, or None, got {got}")
    finite(weight, "total_weight must be finite")
    require(weight.item() >= 0, f"total_weight: expected a number of at least 0, got {weight.item():g}")


def check_figures(objective: Objective, batch: Batch) -> None:
    """The figures of the batch are a finite number for each image and each name in `figures`."""
    with torch.no_grad():
        found = _named("measure", objective.measure(batch), "figures", objective.figures)
    for name, value in found.items():
        shape, expected = tuple(value.shape), (len(batch.images),)
        require(shape == expected, f"{name}: expected one number for each image, shape {expected}, got {shape}")
        finite(value, f"{name} must be finite")


def losses_of(objective: Objective, batch: Batch) -> Mapping[str, Tensor]:
    """The losses of the batch by name, not checked.

    Raises:
        NotApplicable: when they are no mapping, which is the finding of another check.
    """
    return _mapping("losses", objective.losses(batch))


def all_numbers(objective: Objective, batch: Batch) -> Tensor:
    """Losses and figures in one vector in float64; their names and shapes are the finding of other checks."""
    losses = all_losses(objective, batch)
    return torch.cat([losses, *(value.double().flatten() for value in figures_of(objective, batch).values())])


def all_losses(objective: Objective, batch: Batch) -> Tensor:
    """The losses of the batch in one vector in float64, in the order of their names, not checked."""
    losses = [torch.as_tensor(value) for _, value in sorted(losses_of(objective, batch).items())]
    return torch.cat([value.detach().double().flatten() for value in losses])


def figures_of(objective: Objective, batch: Batch) -> dict[str, Tensor]:
    """The figures of the batch by name, in the order of the names, not checked."""
    with torch.no_grad():
        found = _mapping("measure", objective.measure(batch))
    return {name: torch.as_tensor(value) for name, value in sorted(found.items())}


def check_finite(run: SyntheticRun, batch: Batch) -> None:
    """Losses, their gradient and figures of a batch are finite, in training and evaluation."""
    gradient(run, batch)
    run.objective.train()
    for _ in range(2):
        finite(all_numbers(run.objective, batch), "losses and figures must be finite")
        run.objective.eval()


def gradient(run: SyntheticRun, batch: Batch) -> Tensor:
    """The gradient of the losses in training, finite, to every parameter of the transformer and the network.

    It is zero where the losses do not depend on a parameter.

    Args:
        run: with these parameters.
        batch: of the run.
    """
    learned = run.learned
    losses = losses_of(run.objective.train(), batch)
    total = torch.stack([torch.as_tensor(value).sum() for value in losses.values()]).sum()
    if not total.requires_grad or not learned:
        return torch.zeros(1)
    found = torch.autograd.grad(total, learned, allow_unused=True)
    gradients = [torch.zeros_like(p) if g is None else g for g, p in zip(found, learned, strict=True)]
    flat = torch.cat([g.flatten() for g in gradients])
    finite(flat, "the gradient of the losses must be finite")
    return flat


def _mapping(method: str, found: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    if not isinstance(found, Mapping):
        tells = {"losses": "losses", "measure": "figures"}[method]
        raise NotApplicable(f"{method} gives no mapping of names to tensors, of which `{tells}` tells")
    return found


def _named(method: str, found: Mapping[str, Tensor], attribute: str, names: Collection[str]) -> dict[str, Tensor]:
    require(isinstance(found, Mapping), f"{method}: expected a mapping of names to tensors, got {type(found).__name__}")
    given, expected = ", ".join(map(str, found)), ", ".join(names)
    require(set(found) == set(names), f"{method}: expected the names in {attribute}, {expected}, got {given or 'none'}")
    for name, value in found.items():
        if not isinstance(value, Tensor) or value.is_complex():
            raise CheckFailed(f"{name}: expected a tensor of real numbers, got {type(value).__name__}")
    return dict(found)
