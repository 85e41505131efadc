"""The native warp of images of bytes through a matrix, bilinearly: no pixel is converted but the one at hand."""

import math
import threading
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from stnkit.native.calls import threads
from stnkit.native.interpolation import Interpolation
from stnkit.native.library import kernels
from stnkit.native.switch import enabled

# The least w of a corner, with w = 1 at the center or so: farther points are left to the composite path.
_HORIZON = 1e-3
# Offsets in the image are integers of 32 bits.
_MOST_BYTES = 2**31 - 1


class _Local(threading.local):
    """The output of the last call of a thread, where it is to be written over."""

    reused: np.ndarray | None = None


_local = _Local()


def reuse_memory() -> None:
    """Write every result of this thread from now on over the one before: new memory takes as long as the warp."""
    _local.reused = np.empty(0, np.uint8)


def _memory(shape: tuple[int, ...]) -> np.ndarray:
    if _local.reused is None:
        return np.empty(shape, np.uint8)
    n = math.prod(shape)
    if _local.reused.size < n:
        _local.reused = np.empty(n, np.uint8)
    return _local.reused[:n].reshape(shape)


def warped_bytes(
    image: UInt8[np.ndarray, "H W C"],
    matrix: Float[np.ndarray, "3 3"],
    size: Sequence[int],
    interpolation: Interpolation | None,
) -> UInt8[np.ndarray, "height width C"] | None:
    """The image read at the pixels to which a matrix takes those of the output; None where the kernel cannot.

    It takes gray and RGB images, bilinear samplers with any padding, and maps without a horizon in the output. Values
    are those of the sampler, rounded to the nearest.

    Args:
        image: its channels side by side in memory.
        matrix: takes pixel indices (x, y, 1) of the output to those of the image.
        size: (H, W) of the output.
        interpolation: of the sampler, whose fill value is 0 to 255; None for one that computes something else.

    Returns:
        A view of memory that has four bytes for each pixel of RGB, as Pillow has it.
    """
    channels = image.shape[2]
    down, right, beside = image.strides
    taken = channels == 1 or (channels == 3 and beside == 1 and right in (3, 4))
    if (
        not taken
        or down < 0
        or right < 0
        or image.shape[0] * down > _MOST_BYTES
        or not enabled()
        or interpolation is None
        or interpolation.taps != 2
    ):
        return None
    columns, rows = np.array([0, size[1] - 1]), np.array([0, size[0] - 1])
    w = matrix[2, 0] * columns[:, None] + matrix[2, 1] * rows + matrix[2, 2]
    if not np.isfinite(matrix).all() or w.min() < _HORIZON * max(w.max(), 1e-30):
        return None
    fill = interpolation.fill_value if interpolation.padding == "fill" else 0.0
    values = list(fill) if isinstance(fill, list | tuple) else [fill] * channels
    if len(values) != channels or not all(0 <= value <= 255 for value in values):
        return None
    out = _memory((*size, 1 if channels == 1 else 4))
    kernels().warp_bytes(
        *(out.ctypes.data, out.strides[:2], image.ctypes.data, image.shape, (down, right)),
        *(matrix.ravel().tolist(), tuple(size), str(interpolation.padding), [*map(float, values), *[0.0] * 4][:4]),
        threads(),
    )
    return out[..., :channels]
