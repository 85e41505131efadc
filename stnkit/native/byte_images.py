"""Native warps and reductions of images of bytes: no pixel is converted but the one at hand."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from stnkit.native.calls import threads
from stnkit.native.interpolation import Interpolation
from stnkit.native.library import kernels
from stnkit.native.reused_memory import ReusedMemory
from stnkit.native.switch import enabled

# The least w of a corner, with w = 1 at the center or so: farther points are left to the composite path.
_HORIZON = 1e-3
# Offsets in the image are integers of 32 bits.
_MOST_BYTES = 2**31 - 1


# Rows of a box, whose sums are words, and its pixels.
_MOST_ROWS, _MOST_PIXELS = 257, 2**13

_memory = ReusedMemory()


def reuse_memory() -> None:
    """Write every warp of this thread from now on over the one before."""
    _memory.start()


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
    shape = *size, 1 if channels == 1 else 4
    out = _memory.piece(math.prod(shape)).reshape(shape)
    kernels().warp_bytes(
        *(out.ctypes.data, out.strides[:2], image.ctypes.data, image.shape, (down, right)),
        *(matrix.ravel().tolist(), tuple(size), str(interpolation.padding), [*map(float, values), *[0.0] * 4][:4]),
        threads(),
    )
    return out[..., :channels]


def reduced_bytes(
    image: UInt8[np.ndarray, "H W C"], rows: int, columns: int
) -> UInt8[np.ndarray, "height width C"] | None:
    """The means of boxes of pixels, rounded to the nearest; None where the kernel cannot.

    It takes gray images, and RGB ones with four bytes for each pixel, as Pillow has them. The last boxes of an axis
    have the pixels that are left.

    Args:
        image: its channels side by side in memory.
        rows: of a box.
        columns: of a box.
    """
    height, width, channels = image.shape
    pixel = 1 if channels == 1 else 4
    if not (
        channels in (1, 3)
        and image.strides[1] == pixel
        and (channels == 1 or image.strides[2] == 1)
        and image.strides[0] >= width * pixel
        and rows <= _MOST_ROWS
        and rows * columns <= _MOST_PIXELS
        and enabled()
    ):
        return None
    out = np.empty((-(-height // rows), -(-width // columns), pixel), np.uint8)
    given = image.ctypes.data, (height, width, pixel), image.strides[0]
    kernels().reduce_bytes(out.ctypes.data, *given, (rows, columns))
    return out[..., :channels]
