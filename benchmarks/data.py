"""What the data costs beside training: `python benchmarks/data.py [NAME ...]`.

Times in one run on this machine's CPU, in turn. NAME selects sections: distortions, networks.
All cores work, or OMP_NUM_THREADS of them. With `--cpu-time` one does, and what other programs take is not counted.
"""

import itertools
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date

import torch
import torch.nn.functional as F
from interleaved import medians

import stnkit
from stnkit.experiments.data import DistortedData
from stnkit.experiments.loaders import TrainLoader
from stnkit.experiments.placement import place
from stnkit.experiments.schema import TrainingConfig
from stnkit.experiments.task import Classification

CPU_TIME = "--cpu-time" in sys.argv
CLOCK = time.process_time if CPU_TIME else time.perf_counter
N, BATCH = 60_000, 256
ALLOWED = 15.0  # percent of a training step
ONE_CHANNEL = ["none", "rotation", "rts", "projective", "elastic", "translated_cluttered"]
TRANSFORMER = {
    "transform": {"name": "affine"},
    "localizer": {"name": "convolutional"},
    "sampler": {"name": "bilinear"},
    "out_size": None,
}


class Noise(stnkit.Dataset):
    """As many random bytes as MNIST has pixels: the time does not depend on what is in an image."""

    n_classes = 10

    def __init__(self, channels: int) -> None:
        self.image_shape = (channels, 28, 28)

    def split(self, name):
        images = torch.randint(256, (N, *self.image_shape), dtype=torch.uint8)
        return images, torch.randint(self.n_classes, (N,))


def step(network: str, shape: tuple[int, ...], at: list[str], **training) -> Callable[[], object]:
    """One training step on a batch that is ready: forward, backward, optimizer."""
    precision = training.pop("precision", "32-true")
    model = place(TRANSFORMER | {"network": {"name": network}}, at, shape, 10)
    task = Classification(model, TrainingConfig(**training), seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images, labels = torch.rand(BATCH, *shape), torch.randint(10, (BATCH,))

    def run():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = F.cross_entropy(task(images).float(), labels)
        loss.backward()
        optimizer.step()

    return run


def distortions() -> None:
    """Drawing, gathering and warping a batch against a training step of the paper's ST-CNN on it."""
    print(f"\n## Data of a batch of {BATCH} out of {N:,} digits, beside a training step of the ST-CNN on it\n")
    print("| distortion | image | epoch's start, ms | batch, ms | both, per batch, ms | step, ms | share | allowed |")
    print("|---|---|---|---|---|---|---|---|")
    for name in [*ONE_CHANNEL, "independent_channels"]:
        dataset = Noise(1 if name in ONE_CHANNEL else 2)
        distortion = stnkit.build("distortion", name, image_shape=dataset.image_shape)
        data = DistortedData(dataset, distortion, BATCH, seed=0)
        loader = TrainLoader(*data.split("train"), distortion, BATCH, seed=0, epoch=lambda: 0)
        batches = itertools.chain.from_iterable(itertools.repeat(loader))
        took = medians(
            {
                "start": lambda loader=loader: next(iter(loader)),
                "batch": lambda data=data, batches=batches: data.on_after_batch_transfer(next(batches), 0),
                "step": step("paper_cnn", data.in_shape, ["input"]),
            },
            seconds=10,
            clock=CLOCK,
        )
        both = took["batch"] + took["start"] * BATCH / N
        size = "×".join(map(str, data.in_shape))
        figures = f"{took['start']:.1f} | {took['batch']:.2f} | {both:.2f} | {took['step']:.1f}"
        print(f"| {name} | {size} | {figures} | {100 * both / took['step']:.1f} % | {ALLOWED:.0f} % |", flush=True)


def networks() -> None:
    """Training steps of the convolutional networks, by memory format and precision."""
    print(f"\n## A training step on a batch of {BATCH} images of 28×28, ms\n")
    formats = {
        "default": {},
        "channels_last": {"channels_last": True},
        "bfloat16": {"precision": "bf16-mixed"},
        "both": {"channels_last": True, "precision": "bf16-mixed"},
    }
    print("| network | transformer | " + " | ".join(formats) + " |\n|---|---|" + "---|" * len(formats))
    rows = list(itertools.product(("paper_fcn", "paper_cnn", "compact_cnn"), ("none", "input")))
    contenders = {
        f"{network} {at} {label}": step(network, (1, 28, 28), [at] if at == "input" else [], **options)
        for network, at in rows
        for label, options in formats.items()
    }
    took = medians(contenders, seconds=60, clock=CLOCK)
    for network, at in rows:
        cells = " | ".join(f"{took[f'{network} {at} {label}']:.1f}" for label in formats)
        print(f"| {network} | {at} | {cells} |", flush=True)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1 if CPU_TIME else int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    processor = platform.processor() or platform.machine()
    print(f"# Data and networks\n\n{date.today()}, torch {torch.__version__}, ", end="")
    print(f"{torch.get_num_threads()} threads, {processor}, {'CPU' if CPU_TIME else 'wall'} time")
    sections = {"distortions": distortions, "networks": networks}
    for section in [name for name in sys.argv[1:] if name != "--cpu-time"] or sections:
        sections[section]()


if __name__ == "__main__":
    main()
