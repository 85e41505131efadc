"""Runs that do not fit into memory: refused before they start, or explained after they failed."""

import math
import os
import re
from collections.abc import Sequence

from stnkit.errors import InputError


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
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        if gib > available:
            raise InputError(
                f"out_size: expected a batch of {batch_size} to fit into {available:.3g} GiB of memory, "
                f"got {list(out_size or [])}, which takes {gib:.3g} GiB"
            )


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
