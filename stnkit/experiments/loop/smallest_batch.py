"""The smallest training batch of a run, tried before the run: a network may not take one image in training."""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from stnkit.errors import InputError, one_line
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.loop.task import ObjectiveTask
from stnkit.experiments.placement import input_transformer


def check_smallest_batch(task: ObjectiveTask, data: DistortedData, processes: int) -> None:
    """Raise an InputError if a process gets a batch of one image that the network takes in evaluation only.

    Batch-norm has no variance of one value in a channel, as a map of 1×1 pixels leaves it of one image.

    Args:
        task: with a network in the modes in which it is trained.
        data: of the run.
        processes: number of those that share a batch.
    """
    smallest, n_images = data.smallest_batch, len(data.split("train")[0])
    if smallest // processes != 1 or (module := _sees_one_image(task)) is None:
        return
    error = _failure(module, 1, data)
    # Of a module that no batch fits, the first step tells.
    if error is None or _failure(module, 2, data) is not None:
        return
    each = f" for each of the {processes} processes" if processes > 1 else ""
    last = "" if smallest == data.batch_size else f" in the last one of the {n_images} images"
    raise InputError(
        f"training.batch_size: expected at least 2 images{each} in every batch, since the network cannot be trained on "
        f"one, got {smallest}{last}: {one_line(error)}"
    ) from error


def _sees_one_image(task: ObjectiveTask) -> nn.Module | None:
    """The outermost module that a batch of one image reaches as such."""
    if not task.theta_loss.doubles:
        return task.network
    return input_transformer(task.network) if task.theta_loss.reads_again else None


def _failure(module: nn.Module, n: int, data: DistortedData) -> Exception | None:
    """The error of a module for n images, or None; its buffers and the random state stay as they are."""
    buffers: dict[str, Tensor] = {name: buffer.clone() for name, buffer in module.named_buffers()}
    with torch.random.fork_rng([]), torch.no_grad():
        try:
            functional_call(module, buffers, torch.zeros(n, *data.in_shape, dtype=data.dtype))
        except Exception as error:  # of any network
            return error
    return None
