"""Supervision: a loss on θ that knows the true distortion, the ceiling for learning θ."""

from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.experiments.losses.nodes import comparison_nodes, within_reach
from stnkit.families.family import TransformFamily
from stnkit.families.onward import onward


def supervision_error(
    family: TransformFamily,
    theta: Float[Tensor, "B P"],
    distortion: TransformFamily,
    true_theta: Float[Tensor, "B Q"],
) -> Float[Tensor, ""]:
    """Mean of |D(T_θ(p)) − p|² over the comparison nodes p: 0 when T_θ undoes the distortion D.

    Of a chart T, mean of |D(T_θ(p)) − T_ν(p)|² with its neutral θ, ν: 0 when the output is that of the original at ν.
    In squared half images. Needs no inverse of D and no common parameters of the two families, only their `forward`.

    Args:
        family: of the transformer.
        theta: θ of the distorted images.
        distortion: the family of D, which maps points of the distorted image to points of the original.
        true_theta: the parameters of D for each image.
    """
    with coordinates.full_precision(theta):
        nodes = comparison_nodes(family.ndim, theta)
        source = onward(distortion, true_theta.to(theta), family(theta, nodes))
        wanted = within_reach(family(family.identity()[None].to(theta), nodes)) if family.is_chart else nodes
        return (within_reach(source) - wanted).square().sum(dim=-1).mean()
