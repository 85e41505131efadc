"""The variation that a distortion leaves in the transformer's output, measured without its inverse or its θ."""

import torch
from torch import Tensor

from stnkit.distortions import Distortion
from stnkit.experiments.data.rows import as_float
from stnkit.experiments.data.seeds import generator
from stnkit.transformer import SpatialTransformer

IMAGES = 100
DRAWS = 10


def rectified_variance(originals: Tensor, distortion: Distortion, transformer: SpatialTransformer | None) -> float:
    """The share of the variance of output pixels that several distortions of one image account for, 0 to 1.

    The variance over the distortions of an image, mean over images and pixels, divided by the variance over all of
    them: 0 when the output does not depend on the distortion, whatever its contrast and size. It is 0.9, not 1, when
    the output depends on the distortion alone, since the mean of ten draws varies too. NaN when all outputs are alike.

    Args:
        originals: (N, C, *size), as the dataset has them; at most IMAGES of them are used, evenly spaced.
        distortion: draws and warps.
        transformer: its device computes; None for the distorted images themselves.
    """
    device = next(transformer.parameters()).device if transformer is not None else torch.device("cpu")
    chosen = torch.linspace(0, len(originals) - 1, min(IMAGES, len(originals))).round().long()
    images = as_float(originals[chosen]).to(device)
    outputs = []
    for draw in range(DRAWS):
        theta = distortion.sample(len(images), generator("rectified", draw)).to(device)
        output = distortion.apply(images, theta, generator("rectified", draw, "apply", device=device))
        outputs.append(output if transformer is None else transformer(output.to(transformer.head.weight.dtype)))
    shown = torch.stack(outputs).double()
    total = shown.var(dim=(0, 1), correction=0).mean()
    return (shown.var(dim=0, correction=0).mean() / total).item()
