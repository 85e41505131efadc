"""Checks of what the methods of an objective return, which a stranger may have written."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from stnkit.contract import COUNT
from stnkit.errors import InputError
from stnkit.objectives import Objective


def checked_outputs(objective: Objective, outputs: Any) -> int | None:
    """The number of outputs of the network.

    Args:
        objective: that asks for them.
        outputs: what its `n_outputs` has returned.

    Raises:
        InputError: unless it is a whole number of at least 1, or None.
    """
    if outputs is not None and not COUNT.holds(outputs):
        raise InputError(f"{_name(objective)}.n_outputs: expected {COUNT.words}, or None, got {outputs!r}")
    return None if outputs is None else int(outputs)


def check_attributes(objective: Objective) -> None:
    """Check the figures and terms of an objective once more, since `prepare` may have changed them.

    Args:
        objective: prepared.

    Raises:
        InputError: when they are not those of an objective.
    """
    for attribute in ("figures", "terms"):
        requirement, value = Objective.abstract_attributes[attribute], getattr(objective, attribute)
        if not requirement.holds(value):
            raise InputError(f"{_name(objective)}.{attribute}: expected {requirement.words}, got {value!r}")


def checked_losses(objective: Objective, losses: Any, *, training: bool) -> dict[str, Tensor]:
    """The losses of a batch by the names of the terms.

    Args:
        objective: that has computed them.
        losses: what its `losses` has returned.
        training: if one of them must have a gradient.

    Raises:
        InputError: when they are not one real number for each of the terms.
    """
    name, terms = f"{_name(objective)}.losses", list(objective.terms)
    losses = _by_name(name, "terms", terms, losses)
    for term, value in losses.items():
        if not isinstance(value, Tensor) or value.ndim or not value.is_floating_point():
            raise InputError(f"{name}: {term}: expected a floating-point tensor of shape [], got {_described(value)}")
    if training and torch.is_grad_enabled() and not any(value.requires_grad for value in losses.values()):
        raise InputError(f"{name}: expected at least one of {terms} with a gradient, got none")
    return losses


def checked_total_weight(objective: Objective, weight: Any) -> Tensor | None:
    """The sum of the weights of the images of a batch in the losses.

    Args:
        objective: that has computed it.
        weight: what its `total_weight` has returned.

    Raises:
        InputError: unless it is a real number, or None.
    """
    if weight is None or (isinstance(weight, Tensor) and not weight.ndim and weight.is_floating_point()):
        return weight
    raise InputError(
        f"{_name(objective)}.total_weight: expected a floating-point tensor of shape [], or None, got "
        f"{_described(weight)}"
    )


def checked_figures(objective: Objective, figures: Any, *lengths: int) -> dict[str, Tensor]:
    """The figures of a batch by their names.

    Args:
        objective: that has measured them.
        figures: what its `measure` has returned.
        lengths: numbers of images, any of which they may be of.

    Raises:
        InputError: when they are not one real number for each image.
    """
    name = f"{_name(objective)}.measure"
    figures = _by_name(name, "figures", list(objective.figures), figures)
    for figure, values in figures.items():
        fits = isinstance(values, Tensor) and values.ndim == 1 and len(values) in lengths and not values.is_complex()
        if not fits:
            raise InputError(
                f"{name}: {figure}: expected one number for each of {lengths[0]} images, got {_described(values)}"
            )
    return figures


def _by_name(method: str, kind: str, names: list[str], returned: Any) -> dict[str, Any]:
    if not isinstance(returned, Mapping) or set(returned) != set(names):
        got = list(returned) if isinstance(returned, Mapping) else _described(returned)
        raise InputError(f"{method}: expected the {kind} {names}, got {got}")
    return dict(returned)


def _described(value: Any) -> str:
    return f"{value.dtype} of shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _name(objective: Objective) -> str:
    return type(objective).__name__
