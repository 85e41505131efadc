"""The check that what a module learns is registered: other parameters are neither trained, moved nor saved."""

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn

from stnkit.testing.assertions import require

# The node of a graph at which gradients are collected.
LEAF = "torch::autograd::AccumulateGrad"


def check_registered(module: nn.Module, call: Callable[[], Tensor], inputs: Iterable[Tensor] = ()) -> None:
    """Fail if the gradient of a value leads to a tensor that is neither a parameter of the module nor an input.

    Args:
        module: with its parameters.
        call: computes the value. A leaf that is made in one call, as where a derivative is computed on the way, is
            not there in the next one, and no failure.
        inputs: the tensors that the value may depend on besides.
    """
    known = [*module.parameters(), *inputs]
    first, again = (_leaves(call()) for _ in range(2))
    others = [leaf for leaf in first if not _among(leaf, known) and _among(leaf, again)]
    shapes = ", ".join(str(list(leaf.shape)) for leaf in others)
    require(
        not others,
        f"what is learned must be registered, as `self.weight = nn.Parameter(…)` or in an nn.ParameterList: the output "
        f"depends on a leaf of shape {shapes} that parameters() does not give",
    )


def _leaves(value: Tensor) -> list[Tensor]:
    """The tensors to which the gradient of a value leads."""
    found: list[Tensor] = []
    seen: set[Any] = set()
    waiting: list[Any] = [value.grad_fn]
    if value.grad_fn is None and value.requires_grad:
        return [value]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == LEAF:
            found.append(node.variable)
        waiting += [following for following, _ in node.next_functions]
    return found


def _among(tensor: Tensor, others: Iterable[Tensor]) -> bool:
    return any(tensor is other for other in others)
