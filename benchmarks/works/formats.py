"""What memory formats and precisions bring to a training step."""

import functools

from stepping import step_on_a_ready_batch
from work import Call, Work

BATCH = 256
FORMATS = {
    "default": {},
    "channels_last": {"channels_last": True},
    "channels_last, bf16-mixed": {"channels_last": True, "precision": "bf16-mixed"},
}


def step_of(options: dict, network: str) -> Call:
    """A training step of a network behind a transformer."""
    return Call(step_on_a_ready_batch(network, (1, 28, 28), BATCH, **options))


WORKS = [
    Work(
        "training step by memory format and precision",
        {network: network for network in ("paper_cnn", "compact_cnn")},
        lambda network, device: network,
        {name: functools.partial(step_of, options) for name, options in FORMATS.items()},
        images=lambda network: BATCH,
        devices=("cpu",),
        note="`training.channels_last` and `training.precision`, on a batch of 256 images of 28×28 behind an affine "
        "transformer. Where a processor does not know bfloat16, it is emulated.",
    )
]
