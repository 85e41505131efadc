"""The flow of a stationary velocity field, by Runge–Kutta steps on the points themselves."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from stnkit.families.tracing import is_plain_eager, needs_gradient

# (B, P) parameters and (B, N, ndim) points -> (B, N, ndim) velocities.
VelocityField = Callable[[Tensor, Tensor], Tensor]


def runge_kutta(
    field: VelocityField, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"], steps: int
) -> Float[Tensor, "B N ndim"]:
    """The solution at time 1 of dp/dt = v(p) by equal steps of the classical method of fourth order.

    The backward pass evaluates the velocities of a step again in place of keeping them, so that its memory grows by
    one set of points for each step.

    Args:
        field: v, a function of parameters and points that autograd can follow.
        theta: the parameters of v, one row for each element of the batch.
        points: the solution at time 0, for each element or (batch of 1) the same for all.
        steps: number of steps, at least 1.

    Example:
        >>> import torch, stnkit
        >>> source = stnkit.families.runge_kutta(lambda rate, p: rate * p, torch.ones(1, 1), torch.ones(1, 1, 1), 32)
        >>> abs(source.item() - torch.e) < 1e-5
        True

    Source: Hairer, Nørsett, Wanner 1993, Solving Ordinary Differential Equations I, section II.1, table 1.2.
    """
    source = points.expand(theta.shape[0], -1, -1)
    again = needs_gradient(theta, points) and is_plain_eager()
    for _ in range(steps):
        if again:
            source = checkpoint(_step, field, theta, source, 1 / steps, use_reentrant=False, preserve_rng_state=False)
        else:
            source = _step(field, theta, source, 1 / steps)
    return source


def _step(field: VelocityField, theta: Tensor, points: Tensor, h: float) -> Tensor:
    first = field(theta, points)
    second = field(theta, points + h / 2 * first)
    third = field(theta, points + h / 2 * second)
    fourth = field(theta, points + h * third)
    return points + h / 6 * (first + 2 * (second + third) + fourth)
