"""Runs that do not fit into memory: refused before they start, or explained after they failed."""

import math
import re
import sys
from collections.abc import Sequence

import torch

from stnkit.errors import InputError
from stnkit.machine_memory import machine_memory


def check_memory(out_size: Sequence[int] | None, channels: int, batch_size: int) -> None:
    """Refuse an output size for which a single batch is larger than the memory of this machine.

    An allocation of that size can succeed: the system may grant it and kill the process when it is used.

    Args:
        out_size: of the transformer at the input, or None.
        channels: of an image.
        batch_size: of a batch.

    Raises:
        InputError: names the size of the batch and of the memory.
    """
    gib = 4 * batch_size * channels * math.prod(out_size or [0]) / 2**30
    physical = physical_memory()
    if physical is not None and gib > physical / 2**30:
        raise InputError(
            f"out_size: expected a batch of {batch_size} to fit into {physical / 2**30:.3g} GiB of memory, "
            f"got {list(out_size or [])}, which takes {gib:.3g} GiB"
        )


def physical_memory(device: torch.device | None = None) -> int | None:
    """The memory of this machine, or of a GPU, in bytes; None where the system does not tell.

    Args:
        device: a GPU, or the CPU.
    """
    if device is not None and device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return machine_memory()


def peak_memory(device: torch.device) -> int | None:
    """The largest memory that this process has used so far on a device, in bytes; None where the system does not tell.

    Args:
        device: a GPU, or the CPU, for which it is the whole process.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def explain_memory(error: BaseException) -> BaseException:
    """An InputError for an allocation that failed; any other error unchanged.

    Args:
        error: raised by a run.
    """
    signs = ("allocate", "Storage size calculation overflowed")
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
    ):
        asked = re.search(r"ried to allocate ([\d.]+ \w+)", str(error))
        return InputError(
            f"the run does not fit into memory{f': it asked for {asked[1]} at once' if asked else ''}; "
            f"choose a smaller training.batch_size, out_size or network"
        )
    return error
