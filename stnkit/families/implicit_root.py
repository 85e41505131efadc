"""The root of a map as a function of θ and its value: derivatives of every order, by the implicit function theorem."""

from collections.abc import Callable
from typing import Any, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call, vjp

from stnkit.families.nested_batches import as_one_batch
from stnkit.families.tracing import is_dual_twice, is_transformed, needs_gradient

# (B, P) θ and (B or 1, N, ndim) points -> (B, N, ndim) points.
PointMap = Callable[[Tensor, Tensor], Tensor]
# T, θ and q -> p in float64, on values: without derivatives of its own.
Search = Callable[[PointMap, Tensor, Tensor], Tensor]
# The value of a function, and gradients to it -> gradients to its inputs.
Pull = Callable[[Tensor], tuple[Tensor, ...]]

_NO_SECOND_TANGENT = (
    "inverse: expected one level of torch.func.jvp, got one within another: differentiate torch.func.grad by jvp, or "
    "jvp by grad"
)


def implicit_root(
    search: Search, point_map: PointMap, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]
) -> Float[Tensor, "B N ndim"]:
    """The p with T_θ(p) = q that a search finds, with dp = J⁻¹ (dq − dT), which can be differentiated again.

    The derivative is 0 where J is singular or nothing was found. It is one in θ, in q and in the parameters of the map
    itself, where that is a module, and it is there under every transform of torch.func and in forward mode.

    Args:
        search: called with T, θ and q.
        point_map: T, called with θ and points in float64. Each point's image depends on that point alone.
        theta: one row of parameters for each element of the batch.
        points: q, for each element or (batch of 1) the same for all.

    Example:
        >>> import torch
        >>> theta = torch.tensor([[2.0]], requires_grad=True)
        >>> half = implicit_root(lambda T, t, q: (q / t).double(), lambda t, p: t * p, theta, torch.ones(1, 1, 1))
        >>> torch.autograd.grad(half.sum(), theta)[0]  # d(q/θ)/dθ = −q/θ²
        tensor([[-0.2500]])

    Source: Krantz and Parks 2002, The implicit function theorem, section 3.3.
    """
    named = _tensors_of(point_map)
    if not needs_gradient(theta, points, *named.values()):
        return search(point_map, theta, points)
    pure = _PureMap(point_map, tuple(named))
    root: Tensor = _Root.apply(search, pure, theta, points, *named.values())  # type: ignore[no-untyped-call]
    return root


def _tensors_of(point_map: PointMap) -> dict[str, Tensor]:
    """The tensors that a map may be differentiated in beside θ and points, by name."""
    if not isinstance(point_map, nn.Module):
        return {}
    # Under a transform `requires_grad` is not reliable.
    named = [*point_map.named_parameters(), *point_map.named_buffers()]
    return {name: t for name, t in named if t.requires_grad or (is_transformed() and t.is_floating_point())}


@final
class _PureMap:
    """A point map as a function of its own tensors too: those of a transform differ from those of the module."""

    def __init__(self, point_map: PointMap, names: tuple[str, ...]) -> None:
        self._point_map, self._names = point_map, names

    def __call__(self, theta: Tensor, points: Tensor, *tensors: Tensor) -> Tensor:
        theta = theta.double()
        if not isinstance(self._point_map, nn.Module) or not self._names:
            return self._point_map(theta, points)
        own = dict(zip(self._names, tensors, strict=True))
        source: Tensor = functional_call(self._point_map, own, (theta, points))
        return source


class _Root(torch.autograd.Function):
    """p(θ, q) as one node. Its derivatives are functions of θ, q and p itself, so they have derivatives too."""

    @staticmethod
    def forward(search: Search, pure: _PureMap, theta: Tensor, points: Tensor, *tensors: Tensor) -> Tensor:
        return search(lambda rows, p: pure(rows, p, *tensors), theta, points)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.pure, *given = inputs
        ctx.save_for_backward(output, *given)
        ctx.save_for_forward(output, *given)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        found, theta, points, *tensors = ctx.saved_tensors
        of_theta, of_points, *of_tensors = ctx.needs_input_grad[2:]
        p, inverse, usable = _inverse_jacobian(ctx.pure, found, theta, tensors)
        # J⁻ᵀ times the gradient: the gradient to q.
        adjoint = (inverse * torch.where(usable, gradient, 0.0)[..., None]).sum(dim=-2)
        to_points = adjoint if points.shape[0] == adjoint.shape[0] else adjoint.sum(dim=0, keepdim=True)

        given, wanted = [theta, *tensors], [of_theta, *of_tensors]
        chosen = [k for k, wants in enumerate(wanted) if wants]

        def image(*some: Tensor) -> Tensor:
            changed = dict(zip(chosen, some, strict=True))
            rows, *own = (changed.get(k, tensor) for k, tensor in enumerate(given))
            return ctx.pure(rows, p, *own)

        pulled = _linearized(image, *(given[k] for k in chosen))[1](-adjoint) if chosen else ()
        gradients = dict(zip(chosen, pulled, strict=True))
        to_theta, *to_tensors = (gradients.get(k) for k in range(len(given)))
        return None, None, to_theta, to_points.to(points.dtype) if of_points else None, *to_tensors

    @staticmethod
    def jvp(ctx: Any, _: None, __: None, *tangents: Tensor | None) -> Tensor:
        if is_dual_twice():
            raise NotImplementedError(_NO_SECOND_TANGENT)
        found, theta, _points, *tensors = ctx.saved_tensors
        of_theta, of_points, *of_tensors = tangents
        p, inverse, usable = _inverse_jacobian(ctx.pure, found, theta, tensors)
        given = [theta, *tensors]
        moved = [torch.zeros_like(t) if d is None else d for t, d in zip(given, [of_theta, *of_tensors], strict=True)]
        # The derivative along the tangents, by reverse mode alone: the pull-back of u is linear in u, and its own
        # pull-back is the derivative. Forward mode would take the tangent of an operation without a rule for 0.
        value, pull = vjp(lambda rows, *own: ctx.pure(rows, p, *own), *given)[:2]
        (change,) = vjp(pull, torch.zeros_like(value))[1](tuple(moved))
        missing = -change if of_points is None else of_points.double() - change
        return torch.where(usable, (inverse * missing[..., None, :]).sum(dim=-1), 0.0)

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[Any, ...],
        search: Search,
        pure: _PureMap,
        theta: Tensor,
        points: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, int]:
        n, given = info.batch_size, (theta, points, *tensors)
        if any(dim is not None for dim in in_dims[4:]):  # a map of its own for each
            each = (
                [t if dim is None else t.select(dim, k) for t, dim in zip(given, in_dims[2:], strict=True)]
                for k in range(n)
            )
            return torch.stack([_Root.apply(search, pure, *some) for some in each]), 0  # type: ignore[no-untyped-call]
        theta, points = as_one_batch(n, in_dims[2:4], theta, points)
        found = _Root.apply(search, pure, theta, points, *tensors)  # type: ignore[no-untyped-call]
        return found.unflatten(0, (n, theta.shape[0] // n)), 0


def _inverse_jacobian(
    pure: _PureMap, found: Float[Tensor, "B N ndim"], theta: Tensor, tensors: list[Tensor]
) -> tuple[Float[Tensor, "B N ndim"], Float[Tensor, "B N ndim ndim"], Bool[Tensor, "B N 1"]]:
    """The points, 0 where nothing was found; J⁻¹ at them, and the mask of those that have one; 0 at others."""
    solved = found.isfinite().all(dim=-1, keepdim=True)
    p = torch.where(solved, found, 0.0)
    value, pull = _linearized(lambda p: pure(theta, p, *tensors), p)
    axes = torch.eye(value.shape[-1], dtype=value.dtype, device=value.device)
    jacobian = torch.stack([pull(axis.expand(value.shape))[0] for axis in axes], dim=-2)
    inverse, singular = torch.linalg.inv_ex(jacobian)
    finite = inverse.isfinite().all(dim=-1).all(dim=-1, keepdim=True)
    usable = solved & (singular == 0)[..., None] & finite
    if torch.is_grad_enabled():
        # Once more, since the derivatives of the inverse of a singular matrix are not finite.
        inverse = torch.linalg.inv_ex(torch.where(usable[..., None], jacobian, axes)).inverse
    return p, torch.where(usable[..., None], inverse, 0.0), usable


def _linearized(function: Callable[..., Tensor], *inputs: Tensor) -> tuple[Tensor, Pull]:
    """The value of a function and its pull-back, which is recorded where gradients are."""
    if is_transformed():
        value, pull = vjp(function, *inputs)[:2]
        return value, pull
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # Views: of tensors that depend on each other, only the direct gradients are wanted.
        at = [t.view_as(t) if again else t.detach().requires_grad_() for t in inputs]
        value = function(*at)

    def pulled(gradient: Tensor) -> tuple[Tensor, ...]:
        if not value.requires_grad:  # it does not depend on the inputs
            return tuple(torch.zeros_like(t) for t in inputs)
        return torch.autograd.grad(value, at, gradient, retain_graph=True, create_graph=again, materialize_grads=True)

    return value, pulled
