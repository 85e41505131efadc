"""Key points of heat maps, which localizers regress θ from."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError

# Quotients by smaller temperatures overflow in float32.
COLDEST = 1e-6


def check_temperature(temperature: float) -> None:
    """Raise an InputError unless heat can be divided by a temperature.

    Args:
        temperature: of a soft arg-max.

    Raises:
        InputError: when it is below 1e-6, or not finite.
    """
    if not COLDEST <= temperature < float("inf"):
        raise InputError(f"temperature: expected a finite number of at least {COLDEST:g}, got {temperature}")


def soft_arg_max(
    heat: Float[Tensor, "B K *size"], temperature: float, extent: Sequence[float] | None = None
) -> tuple[Float[Tensor, "B K pixels"], Float[Tensor, "B K ndim"]]:
    """The weights w_k = softmax(h_k / τ) over the pixels p of heat maps h, and the points Σ_p w_k(p)·p.

    Args:
        heat: the heat maps, of which half precision is widened.
        temperature: τ, at least 1e-6: the lower, the nearer is a point to the largest value of its heat map.
        extent: lengths of the axes (D,) H, W of a map in those of the image, from whose first edges it starts; by
            default 1, for maps that span it.

    Raises:
        InputError: for a temperature below 1e-6, or an extent that is not one number for each axis of a map.

    Returns:
        The weights, and the points in normalized coordinates of the image, x before y (before z).

    Example:
        >>> import torch, stnkit
        >>> _, points = stnkit.localizers.soft_arg_max(torch.tensor([[[[0.0, 9.0], [0.0, 0.0]]]]), temperature=0.1)
        >>> points
        tensor([[[ 0.5000, -0.5000]]])

    Source: Levine et al. 2016, End-to-end training of deep visuomotor policies, section 5.1.
    """
    if not isinstance(temperature, Tensor):  # of a tensor the value is not read: a device would have to wait for it
        check_temperature(temperature)
    heat = coordinates.widened(heat)
    size = heat.shape[2:]
    if extent is not None and len(extent) != len(size):
        raise InputError(f"extent: expected {len(size)} numbers, one for each axis of a map, got {list(extent)}")
    extent = [1.0] * len(size) if extent is None else extent
    with coordinates.full_precision(heat):
        weights = (heat.flatten(2) / temperature).softmax(dim=2)
        axes = [
            (2 * torch.arange(n, dtype=heat.dtype, device=heat.device) + 1) * length / n - 1
            for n, length in zip(size, extent, strict=True)
        ]
        positions = coordinates.mesh(axes).flatten(0, -2)
        return weights, weights @ positions
