"""Half precision for export: float16 weights and images, θ and the grid in float32."""

import copy

from torch import nn

from stnkit.families.family import TransformFamily
from stnkit.heads import Head
from stnkit.samplers.sampler import Sampler


def in_half(module: nn.Module) -> nn.Module:
    """A copy with float16 weights; heads, families and samplers keep theirs, so that θ and the grid do.

    A coordinate in float16 is rounded by up to 1/4096 near the border: 0.05 pixels of 224.

    Args:
        module: a network or a transformer.

    Example:
        >>> import stnkit
        >>> from stnkit.exporting.half import in_half
        >>> localizer = stnkit.build("localizer", "fully_connected", in_shape=(1, 8, 8))
        >>> family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
        >>> half = in_half(stnkit.SpatialTransformer(localizer, family, sampler))
        >>> {str(p.dtype) for p in half.localizer.parameters()}, half.head.weight.dtype
        ({'torch.float16'}, torch.float32)
    """
    copied = copy.deepcopy(module)
    _narrow(copied)
    return copied


def _narrow(module: nn.Module) -> None:
    if isinstance(module, TransformFamily | Sampler | Head):
        return
    for child in module.children():
        _narrow(child)
    for values in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        if values.is_floating_point():
            values.data = values.data.half()  # as nn.Module.half() does: tied weights stay tied
