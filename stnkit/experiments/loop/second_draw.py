"""Two draws of a distortion for one original: the same image where the distortion draws nothing."""

import torch

from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.data.distorted import drawn_theta
from stnkit.experiments.data.loaders import Drawn
from stnkit.experiments.data.seeds import derived_seed, generator
from stnkit.experiments.pose.undefined import no_pose

# Maps drawn for the decision, since a distortion may act seldom, and images where it needs some.
MAPS, IMAGES = 2048, 4


def draws_anew(data: DistortedData) -> bool:
    """True if an original is another image when it is distorted once more, augmentation included.

    It is not under `distortion=none`, nor where the strength is 0.

    Args:
        data: of a run; no image of it is read.
    """
    size = data.dataset.image_shape[1:]
    warps = [data.distortion] if data.augmentation is None else [data.distortion, data.augmentation.warp]
    if any(no_pose(warp, drawn_theta(warp, MAPS, generator("drawn")), size) is None for warp in warps):
        return True
    # What no map describes, such as clutter.
    own = DistortedData(data.dataset, data.distortion, IMAGES, 0, augmentation=data.augmentation)
    originals = torch.rand(IMAGES, *data.dataset.image_shape, generator=generator("originals"))
    first, again = (_distorted(own, originals, derived_seed("drawn", number)) for number in range(2))
    return not torch.equal(first, again)


def _distorted(data: DistortedData, originals: torch.Tensor, seed: int) -> torch.Tensor:
    theta = drawn_theta(data.distortion, len(originals), generator(seed, "theta"))
    return data.on_after_batch_transfer(Drawn(originals, torch.zeros(len(originals)), theta, seed), 0).images
