"""Scale factors parametrized by their logarithm."""

from jaxtyping import Float
from torch import Tensor

# e⁴⁰ is far outside of every image, and neither it nor its square or inverse overflows in float32, so gradients stay
# finite.
LIMIT = 40.0


def bounded_exp(log_scale: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """e^s, with s clamped to [−40, 40]: a positive scale factor with finite gradients for every finite s.

    Args:
        log_scale: s.
    """
    return log_scale.clamp(-LIMIT, LIMIT).exp()
