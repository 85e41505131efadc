"""Scale factors parametrized by their logarithm."""

from jaxtyping import Float
from torch import Tensor

from stnkit.errors import InputError

# e⁴⁰ is far outside of every image, and neither it nor its square or inverse overflows in float32, so gradients stay
# finite.
LIMIT = 40.0


def bounded_exp(log_scale: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """e^s, with s clamped to [−40, 40]: a positive scale factor with finite gradients for every finite s.

    Args:
        log_scale: s.
    """
    return log_scale.clamp(-LIMIT, LIMIT).exp()


def log_scales(scales: Float[Tensor, "B S"]) -> Float[Tensor, "B S"]:
    """Ln s of fitted scale factors.

    Args:
        scales: s.

    Raises:
        InputError: when one of them is not above 0, so that no family of positive scales has it.
    """
    positive = (scales > 0).all(dim=1)
    if not bool(positive.all()):
        index = positive.tolist().index(False)
        raise InputError(
            f"expected points that scales above 0 fit, got the scales {scales[index].tolist()} at index {index} of the "
            "batch"
        )
    return scales.log()
