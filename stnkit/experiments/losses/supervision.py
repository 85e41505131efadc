"""Supervision: the transformer is told the true distortion, the ceiling of what θ can learn."""

from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.family import TransformFamily

# Maps are compared at the nodes of a lattice of so many on each side.
NODES = 4
# Half images: of points beyond, as there are near a horizon, one would outweigh all others.
FARTHEST = 10.0


def supervision_error(
    family: TransformFamily,
    theta: Float[Tensor, "B P"],
    distortion: TransformFamily,
    true_theta: Float[Tensor, "B Q"],
) -> Float[Tensor, ""]:
    """Mean of |D(T_θ(p)) − p|² over the nodes p of a lattice: 0 when T_θ undoes the distortion D.

    In half images squared. It needs no inverse of D and no common parameters of the two families, only their `forward`.

    Args:
        family: of the transformer.
        theta: θ, of distorted images.
        distortion: the family of D, which takes points of the distorted image to points of the original.
        true_theta: the parameters of D for each image.
    """
    with coordinates.full_precision(theta):
        nodes = coordinates.lattice((NODES,) * family.ndim, dtype=theta.dtype, device=theta.device)
        nodes = nodes.view(1, -1, family.ndim)
        source = distortion(true_theta.to(theta), family(theta, nodes))
        return (coordinates.finite(source, FARTHEST) - nodes).square().sum(dim=-1).mean()
