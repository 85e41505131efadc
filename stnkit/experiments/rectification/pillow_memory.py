"""The memory of Pillow's images, without a copy: a photograph takes half as long to copy as to decode."""

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

# Pixels from which the memory is shared, and bytes up to which it is one piece.
_LARGE, _LARGEST = 2**20, 2**29


class _ArrowArray(ctypes.Structure):
    """The C data interface of Arrow, by which Pillow hands its memory out."""


_ArrowArray._fields_ = [
    *((name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))),
]


@contextlib.contextmanager
def images_in_one_piece(n_images: int) -> Iterator[None]:
    """A context in which Pillow gives every image one piece of memory, which can be shared, and uses it again.

    Args:
        n_images: number of pieces that wait for the next image: to get new ones takes the system as long as a warp.
    """
    core: Any = vars(Image)["core"]
    before = core.get_block_size(), core.get_blocks_max()
    core.set_block_size(_LARGEST)
    core.set_blocks_max(n_images)
    try:
        yield
    finally:
        core.set_block_size(before[0])
        core.set_blocks_max(before[1])


def pixels_of(image: Image.Image) -> UInt8[np.ndarray, "H W *channels"] | np.ndarray:
    """The pixels, in the memory of the image where it is one piece, else copied; not to be written to.

    Args:
        image: loaded.
    """
    if image.mode in ("L", "RGB") and image.width * image.height >= _LARGE:
        with contextlib.suppress(AttributeError, ValueError, TypeError):
            return _shared(image)
    return np.array(image)


def _shared(image: Image.Image) -> np.ndarray:
    capsule = image.__arrow_c_array__()[1]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    array = _ArrowArray.from_address(pointer(capsule, b"arrow_array"))
    values = array.children[0].contents if image.mode == "RGB" else array
    n = image.width * image.height * (4 if image.mode == "RGB" else 1)

    class Memory(ctypes.c_uint8 * n):  # type: ignore[misc]
        """Memory that lives as long as an array of it."""

    memory = Memory.from_address(values.buffers[1])
    memory.capsule = capsule
    pixels = np.frombuffer(memory, np.uint8)
    if image.mode == "L":
        return pixels.reshape(image.height, image.width)
    return pixels.reshape(image.height, image.width, 4)[..., :3]
