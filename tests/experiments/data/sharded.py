"""A batch of digits as one process sees it, and as two do."""

import stnkit
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.data.loaders import Distorted, Drawn
from stnkit.experiments.data.seeds import generator

DIGITS = stnkit.build("dataset", "digits")


def digits_under(name: str, augmentation=None) -> DistortedData:
    """The digits under a distortion, in batches of six."""
    distortion = stnkit.build("distortion", name, image_shape=DIGITS.image_shape)
    return DistortedData(DIGITS, distortion, 6, 0, augmentation=augmentation)


def whole_and_shards(data: DistortedData) -> tuple[Distorted, list[Distorted]]:
    """Six images as one process gets them, and as two get two and four of them."""
    images, labels = (part[:6] for part in data.split("train"))
    theta = data.distortion.sample(6, generator(1))
    whole = data.on_after_batch_transfer(Drawn(images, labels, theta, 3, place=(0, 6)), 0)
    shards = []
    for own in (slice(0, 2), slice(2, 6)):
        place = (own.start, 6)
        if isinstance(data.distortion, stnkit.distortions.WarpDistortion):  # a process reads its own images alone
            drawn = Drawn(images[own], labels[own], theta[own], 3, place=place)
        else:
            drawn = Drawn(images, labels, theta, 3, own=own, place=place)
        shards.append(data.on_after_batch_transfer(drawn, 0))
    return whole, shards
