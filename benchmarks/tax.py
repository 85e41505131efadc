"""What `stnkit train` costs beside a loop written by hand: `python benchmarks/tax.py [NAME ...]`.

The same network, data and distortion in one process, one step of each in turn: after every step of Lightning's a
callback runs one of the loop. A step is everything from the choice of the images to the optimizer. NAME selects cases.
All cores work, or OMP_NUM_THREADS of them. With `--cpu-time` one does, and what other programs take is not counted.
"""

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import lightning
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

import stnkit
from stnkit.configs import register_component_groups
from stnkit.experiments import directories, run
from stnkit.experiments.schema import register_schema
from stnkit.experiments.task import parameter_groups

CPU_TIME = "--cpu-time" in sys.argv
CLOCK = time.process_time if CPU_TIME else time.perf_counter
STEPS = 70  # of each; the first ten are not counted
WARM_UP = 10
ALLOWED = "5 % or 1 ms"
CASES = {
    "st_cnn, batch 256, 28×28": ["model=st_cnn_affine", "distortion=rotation", "training=paper"],
    "st_cnn, batch 64, 42×42": ["model=st_cnn_affine", "distortion=rts"],
    "st_fcn, batch 256, 28×28": ["model=st_fcn_affine", "distortion=rotation", "training=paper"],
    "st_cnn, batch 256, 28×28, with a bar": [
        "model=st_cnn_affine",
        "distortion=rotation",
        "training=paper",
        "training.progress=true",
    ],
}


class Noise(stnkit.Dataset):
    """As many random bytes as MNIST has training images: no epoch ends while it is measured."""

    n_classes = 10
    image_shape = (1, 28, 28)

    def split(self, name):
        n = 60_000 if name == "train" else 256
        return torch.randint(256, (n, *self.image_shape), dtype=torch.uint8), torch.randint(self.n_classes, (n,))


class InTurn(lightning.Callback):
    """Runs `loop` after every step, and keeps what each of the two took.

    Args:
        loop: one step of the other contender.
    """

    def __init__(self, loop: Callable[[], None]) -> None:
        self.loop = loop
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self._began: float | None = None

    def on_train_epoch_start(self, *args: object) -> None:
        self._began = None  # what is between two epochs belongs to no step

    def on_train_batch_end(self, trainer: lightning.Trainer, *args: object) -> None:
        now = CLOCK()
        if self._began is not None:
            self.ours.append(now - self._began)
        began = CLOCK()
        self.loop()
        self._began = CLOCK()
        self.theirs.append(self._began - began)
        trainer.should_stop = len(self.ours) >= STEPS


build_parts, trainer_of = run.build_parts, run._trainer


def with_noise(*args) -> run.Parts:
    parts = build_parts(*args)
    parts.data.dataset = Noise()
    return parts


def by_hand(plain: dict, training: run.TrainingConfig) -> Callable[[], None]:
    """One step of a loop over the same parts, as one would write it, with the same optimizer and schedule."""
    parts = with_noise(plain, training)
    network, distortion = parts.network.train(), parts.data.distortion
    images, labels = parts.data.split("train")
    groups = parameter_groups(network, training)
    if training.schedule == "one_cycle":
        optimizer = torch.optim.AdamW(groups)
        rates = [group["lr"] for group in groups]
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=100_000, cycle_momentum=False)
    else:
        optimizer = torch.optim.SGD(groups)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, training.step_every, training.step_factor)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        generator = torch.Generator()
        while True:
            for chosen in torch.randperm(len(images), generator=generator).split(training.batch_size):
                theta = distortion.sample(len(chosen), generator)
                yield distortion.apply(images[chosen].float() / 255, theta, generator), labels[chosen]

    endless = batches()

    def step() -> None:
        batch, target = next(endless)
        loss = F.cross_entropy(network(batch), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    return step


def measure(overrides: list[str]) -> InTurn:
    """Train by the config until each of the two has made its steps."""
    plain = OmegaConf.to_container(
        compose("train", ["training.progress=false", "training.epochs=1000", *overrides]),
        resolve=True,
        enum_to_str=True,
    )
    training = directories.typed_training(plain["training"])
    turns = InTurn(by_hand(plain, training))

    def with_turns(*args, **kwargs):
        trainer = trainer_of(*args, **kwargs)
        trainer.callbacks.append(turns)
        return trainer

    run.build_parts, run._trainer = with_noise, with_turns
    try:
        with tempfile.TemporaryDirectory() as folder:
            run.train(plain, training, Path(folder))
    finally:
        run.build_parts, run._trainer = build_parts, trainer_of
    return turns


def main() -> None:
    torch.set_num_threads(1 if CPU_TIME else int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    register_schema()
    register_component_groups()
    directories.register_resolvers()
    processor = platform.processor() or platform.machine()
    print(
        f"# A training step, `stnkit train` beside a loop by hand\n\n{date.today()}, torch {torch.__version__}, ",
        end="",
    )
    print(f"{torch.get_num_threads()} threads, {processor}, {'CPU' if CPU_TIME else 'wall'} time\n")
    print(
        "| case | by hand, ms | stnkit, ms | more, ms | more | mean more, ms | allowed |\n|---|---|---|---|---|---|---|"
    )
    asked = [name for name in sys.argv[1:] if name != "--cpu-time"]
    with initialize_config_module("stnkit.conf", version_base="1.3"):
        for case, overrides in CASES.items():
            if asked and not any(name in case for name in asked):
                continue
            turns = measure(overrides)
            ours, theirs = ([1e3 * t for t in times[WARM_UP:]] for times in (turns.ours, turns.theirs))
            hand, more = statistics.median(theirs), statistics.median(ours) - statistics.median(theirs)
            mean = statistics.mean(ours) - statistics.mean(theirs)
            figures = f"{hand:.2f} | {hand + more:.2f} | {more:.2f} | {100 * more / hand:.1f} % | {mean:.2f}"
            print(f"| {case} | {figures} | {ALLOWED} |", flush=True)


if __name__ == "__main__":
    main()
