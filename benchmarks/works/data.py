"""What data cost: the distortion of a whole data set, and a batch beside the training step on it."""

import dataclasses
import itertools

import torch
from torch import Tensor

import stnkit
from peers import digits
from stepping import Noise, step_on_a_ready_batch
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.data.loaders import TrainLoader
from work import Call, Work

N, BATCH = 60_000, 256
# Images of one call of those that go image by image.
SOME = 1000
# Allowed share of a training step.
SHARE = 0.15


@dataclasses.dataclass
class Digits:
    """Images, and where each is read: the same θ for all contenders."""

    images: Tensor
    theta: Tensor
    distortion: stnkit.Distortion


def digits_of(name: str, device: str) -> Digits:
    """Random smooth images of 28×28, and θ of a distortion."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(N, 1, 7, 7, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (24, 24), mode="bilinear")
    images = torch.nn.functional.pad(255 * smooth, (2, 2, 2, 2)).to(torch.uint8)
    distortion = stnkit.build("distortion", name, image_shape=(1, 28, 28))
    return Digits(images, distortion.sample(N, generator), distortion)


def by_stnkit(made: Digits) -> Call:
    """In batches of 256."""

    def run() -> Tensor:
        return digits.in_batches(made.images, made.distortion, made.theta)

    return Call(run, lambda distorted: distorted)


def by_pil(made: Digits) -> Call:
    """Image by image, as torchvision's transforms do it."""

    def run() -> Tensor:
        return digits.per_image_pil(made.images[:SOME], made.theta[:SOME], made.distortion.out_size)

    return Call(run, lambda distorted: distorted, SOME)


def by_skimage(made: Digits) -> Call:
    """Image by image, by scikit-image's `warp`."""

    def run() -> Tensor:
        return digits.per_image_skimage(made.images[:SOME], made.theta[:SOME], made.distortion.out_size)

    return Call(run, lambda distorted: distorted, SOME)


class Batches:
    """stnkit's data as training reads them.

    Args:
        distortion: its name.
        channels: of an image.
    """

    def __init__(self, distortion: str, channels: int) -> None:
        dataset = Noise(channels)
        built = stnkit.build("distortion", distortion, image_shape=dataset.image_shape)
        self.data = DistortedData(dataset, built, BATCH, seed=0)
        self.loader = TrainLoader(*self.data.split("train"), built, BATCH, seed=0, epoch=lambda: 0)
        self._endless = itertools.chain.from_iterable(itertools.repeat(self.loader))

    def batch(self) -> object:
        """The next batch, distorted."""
        return self.data.on_after_batch_transfer(next(self._endless), 0)

    def start(self) -> object:
        """What an epoch starts with: its order, and every θ."""
        return next(iter(self.loader))


WORKS = [
    Work(
        "distortion of 60,000 digits",
        {name: name for name in ("rotation", "rts")},
        digits_of,
        {"stnkit": by_stnkit, "Pillow, image by image": by_pil, "scikit-image, image by image": by_skimage},
        images=lambda name: N,
        # Pillow rounds to bytes.
        tolerance=1e-2,
        devices=("cpu",),
        note="From bytes, of random smooth images, to distorted floats in [0, 1]. Image by image, on one core, is how "
        "torchvision's transforms work, of which Pillow is the engine.",
    ),
    Work(
        "data of a batch beside the training step on it",
        {
            name: (name, channels)
            for name, channels in (
                *((name, 1) for name in ("none", "rotation", "rts", "projective", "elastic", "translated_cluttered")),
                ("independent_channels", 2),
            )
        },
        lambda case, device: Batches(*case),
        {
            "training step": lambda made: Call(step_on_a_ready_batch("paper_cnn", made.data.in_shape, BATCH)),
            "batch": lambda made: Call(made.batch),
            "start of an epoch, its share": lambda made: Call(made.start, images=N),
        },
        images=lambda case: BATCH,
        most={"batch": SHARE},
        devices=("cpu",),
        note="256 of 60,000 digits, in front of the ST-CNN: forward, backward and optimizer, without Lightning.",
    ),
]
