"""Whole training steps: from the choice of the images to the optimizer."""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor, nn

from peers import tutorial, tutorial_parts
from stepping import Training, by_hand
from work import Call, Work

BATCH = 256
# The paper's networks and losses: no equivariance.
PLAIN = ["distortion=rotation", "training.equivariance.weight=0"]
PAPER = ["model=paper_st_cnn_affine", *PLAIN]
TAX = {
    "st_cnn, batch 256, 28×28": PAPER,
    "st_cnn, batch 64, 42×42": [
        *("model=paper_st_cnn_affine", "training=default", "training.localizer_scale=0.3"),
        *("distortion=rts", "training.equivariance.weight=0"),
    ],
    "st_fcn, batch 256, 28×28": ["model=paper_st_fcn_affine", *PLAIN],
}


@dataclasses.dataclass
class Task:
    """What is trained, by stnkit's config and in the tutorial's words.

    Args:
        overrides: of `stnkit train`.
        network: the same layers as the tutorial would write them; its weights are those of all contenders.
        degrees: half the range of the random rotation of an image.
    """

    overrides: list[str]
    network: Callable[[], nn.Module] = nn.Identity
    degrees: float = 0.0


TUTORIAL = {
    "the tutorial's network, batch 256": Task(
        [*tutorial_parts.OVERRIDES, f"training.batch_size={BATCH}"], tutorial.Net
    ),
    "the paper's ST-CNN, batch 256": Task([*PAPER, f"training.batch_size={BATCH}"], tutorial.PaperNet, 90.0),
}


def seen(network: nn.Module) -> Tensor:
    """What a network makes of images that are the same for all."""
    images = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        output = network.eval()(images).log_softmax(dim=-1)
    network.train()
    return output


def by_stnkit(task: Task) -> Call:
    """`stnkit train`, a step at a time."""
    training = Training(task.overrides)
    if task.network is nn.Identity:
        return Call(training, close=training.close)
    tutorial_parts.copy_weights(_seeded(task.network), training.network)
    output = seen(training.network)
    return Call(training, lambda _: output, close=training.close)


def by_loop(task: Task) -> Call:
    """The loop that one would write over stnkit's parts."""
    return Call(by_hand(task.overrides))


def by_tutorial(workers: int) -> Callable[[Task], Call]:
    """The tutorial's loop over images that are read one by one."""

    def call(task: Task) -> Call:
        loop = tutorial.Loop(_seeded(task.network), BATCH, workers, task.degrees)
        output = seen(loop.network)
        # Until the workers have read as far ahead as they may.
        for _ in range(2 * workers):
            loop()
        loop.ready()
        return Call(loop, lambda _: output, close=loop.close)

    return call


def _seeded(network: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return network()


def _task(task: Task, device: str) -> Task:
    tutorial_parts.register()
    return task


WORKS = [
    Work(
        "training step beside the tutorial's loop",
        TUTORIAL,
        _task,
        {
            "stnkit train": by_stnkit,
            "loop by hand": by_loop,
            "tutorial, 4 workers": by_tutorial(4),
            "tutorial, no workers": by_tutorial(0),
        },
        images=lambda task: BATCH,
        least={"tutorial, 4 workers": 1.5, "tutorial, no workers": 1.5},
        devices=("cpu",),
        note="The tutorial is PyTorch's on spatial transformers: `F.affine_grid`, `F.grid_sample`, and a `DataLoader` "
        "of 4 workers, or none, that make a tensor of one image after the other, here random bytes. What it takes of "
        "torchvision is written out: that cannot be imported beside a torch for the CPU. Its workers are stopped while "
        "another is timed; with more cores for them its data cost less. It and stnkit train the same layers from the "
        "same weights; the loop by hand is one over stnkit's modules and batches. Memory of workers is not counted.",
    ),
    Work(
        "framework's tax on a training step",
        {name: Task(overrides) for name, overrides in TAX.items()},
        _task,
        {"loop by hand": by_loop, "stnkit train": by_stnkit},
        images=lambda task: 64 if "distortion=rts" in task.overrides else BATCH,
        most={"stnkit train": 1.05},
        slack_ms=1.0,
        devices=("cpu",),
        note="5 % or 1 ms more than a loop by hand are allowed. Steps within an epoch; what an epoch starts with is "
        "in the table of the data.",
    ),
]
