"""The memory of Pillow's images, without a copy, and once for all images of a thread."""

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFile

from stnkit.native.reused_memory import ReusedMemory

# Pixels from which the memory is shared, and bytes up to which it is one piece.
_LARGE, _LARGEST = 2**20, 2**29


class _Loaded(threading.local):
    """The image in the reused memory of a thread, as Pillow has it, and its pixels."""

    image: Any = None
    pixels: np.ndarray | None = None
    owner: "_Bytes | None" = None


_memory, _loaded = ReusedMemory(), _Loaded()


class _ArrowSchema(ctypes.Structure):
    """The type of an array in the C data interface of Arrow."""


class _ArrowArray(ctypes.Structure):
    """An array in the C data interface of Arrow, by which Pillow hands its memory out, and takes that of others."""


_ArrowSchema._fields_ = [
    *((name, ctypes.c_char_p) for name in ("format", "name", "metadata")),
    *((name, ctypes.c_int64) for name in ("flags", "n_children")),
    *((name, ctypes.c_void_p) for name in ("children", "dictionary", "release", "private_data")),
]
_ArrowArray._fields_ = [
    *((name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))),
    *((name, ctypes.c_void_p) for name in ("dictionary", "release", "private_data")),
]


class _Bytes:
    """Bytes as an array of Arrow, for `Image.fromarrow`: it must live as long as the image."""

    def __init__(self, values: UInt8[np.ndarray, "n"]) -> None:
        self._values = values
        self._buffers = (ctypes.c_void_p * 2)(None, values.ctypes.data)
        self._array = _ArrowArray(length=len(values), n_buffers=2, buffers=self._buffers)
        self._schema = _ArrowSchema(format=b"C")

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return _capsule(self._schema, b"arrow_schema"), _capsule(self._array, b"arrow_array")


def _capsule(structure: ctypes.Structure, name: bytes) -> object:
    make = ctypes.pythonapi.PyCapsule_New
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    made: object = make(ctypes.addressof(structure), name, None)
    return made


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


def is_large(width: int, height: int) -> bool:
    """True for images whose memory is shared, and reused.

    Args:
        width: in pixels.
        height: in pixels.
    """
    return width * height >= _LARGE


def reuse_memory() -> None:
    """Decode every large JPEG of this thread from now on over the one before: its pixels are those of the last one."""
    _memory.start()


def load(image: Image.Image, n_bytes: int) -> None:
    """Decode an image file, a large JPEG at once into memory that the thread reuses, if `reuse_memory` was called.

    Args:
        image: opened.
        n_bytes: size of the file.
    """
    if isinstance(image, ImageFile.ImageFile) and image.format == "JPEG" and _is_shareable(image):
        image.decodermaxblock = max(image.decodermaxblock, n_bytes)
        with contextlib.suppress(AttributeError, ValueError, TypeError):  # a Pillow without Arrow decodes as ever
            _into_reused_memory(image)
    image.load()


def _is_shareable(image: Image.Image) -> bool:
    return image.mode in ("L", "RGB") and is_large(*image.size)


def _into_reused_memory(image: Image.Image) -> None:
    if not _memory.started:
        return
    pixel = 4 if image.mode == "RGB" else 1
    values = _memory.piece(image.width * image.height * pixel)
    owner = _Bytes(values)
    image.im = Image.fromarrow(owner, image.mode, image.size).im
    _loaded.image, _loaded.pixels, _loaded.owner = image.im, _as_pixels(values, image), owner


def pixels_of(image: Image.Image) -> UInt8[np.ndarray, "H W *channels"] | np.ndarray:
    """The pixels, in the memory of the image where it is one piece, else copied; not to be written to.

    Args:
        image: loaded.
    """
    shared = shared_pixels(image)
    return np.array(image) if shared is None else shared


def shared_pixels(image: Image.Image) -> UInt8[np.ndarray, "H W *channels"] | None:
    """The pixels in the memory of the image, RGB with four bytes each; None for small ones, and where it is no piece.

    Args:
        image: loaded; not to be written to.
    """
    if _is_shareable(image):
        if image.im is _loaded.image:
            return _loaded.pixels
        with contextlib.suppress(AttributeError, ValueError, TypeError):
            return _shared(image)
    return None


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
    return _as_pixels(np.frombuffer(memory, np.uint8), image)


def _as_pixels(values: UInt8[np.ndarray, "n"], image: Image.Image) -> UInt8[np.ndarray, "H W *channels"]:
    if image.mode == "L":
        return values.reshape(image.height, image.width)
    return values.reshape(image.height, image.width, 4)[..., :3]
