"""View: an image as the localizer has seen its like in training, at the size and in the channels of the dataset."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from PIL import Image
from torch import Tensor

from stnkit.datasets import Dataset
from stnkit.errors import InputError
from stnkit.experiments.data.rows import as_float
from stnkit.experiments.rectification.frame import Frame, frame_of
from stnkit.experiments.rectification.pillow_memory import is_large, shared_pixels
from stnkit.experiments.rectification.trained_values import TrainedValues
from stnkit.experiments.rectification.warped_pixels import rounded
from stnkit.native.byte_images import reduced_bytes
from stnkit.packing.decoding import Decoding
from stnkit.packing.fitting import Fit, fitted
from stnkit.packing.pixels import Color, as_bytes

# Pixels of a reduced image for one of the view, at least along each axis: as many as make the reduction invisible.
_REDUCED = 8
# Of red, green and blue, as Pillow has them: ITU-R 601.
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class View:
    """The way from an image to what the localizer sees.

    Args:
        in_shape: (C, *size) of that.
        fit: the way to the size.
        background: behind transparent pixels and beside padded images.
        dtype: of the network.
        values: of the training images; None where they are not known, and every image is taken as it is.

    Example:
        >>> import torch
        >>> from stnkit.experiments.rectification.view import View
        >>> view, frame = View((1, 28, 28)).of_tensor(torch.rand(3, 60, 80))
        >>> view.shape, frame.out_size
        (torch.Size([1, 28, 28]), (60, 80))
    """

    in_shape: tuple[int, ...]
    fit: Fit = Fit.stretch
    background: Color = (0, 0, 0)
    dtype: torch.dtype = torch.float32
    values: TrainedValues | None = None

    @classmethod
    def of_dataset(
        cls, dataset: Dataset, in_shape: tuple[int, ...], dtype: torch.dtype, values: TrainedValues | None = None
    ) -> "View":
        """The view of a dataset: that of a folder has its own fit and background, others are stretched over black.

        Args:
            dataset: of the run.
            in_shape: of the network.
            dtype: of the network.
            values: of the training images.
        """
        decoding = getattr(getattr(dataset, "images", None), "decoding", None)
        if isinstance(decoding, Decoding):
            return cls(in_shape, decoding.fit, decoding.background, dtype, values)
        return cls(in_shape, dtype=dtype, values=values)

    def of_picture(self, image: Image.Image, *, negative: bool = False) -> tuple[Float[Tensor, "C H W"], Frame]:
        """An image file, as the dataset `folder` reads it, and the frame of that in the image.

        Args:
            image: loaded, of any mode of Pillow.
            negative: True if 0 is white in an image of more than 8 bits.

        Raises:
            InputError: when the network is for other images than gray or RGB ones of two dimensions.
            UndecodableError: when the values of the image are out of range.
        """
        if len(self.in_shape) != 3 or self.in_shape[0] not in (1, 3):
            raise InputError(
                f"expected a run on gray or RGB images to read image files, got one on images of shape "
                f"{list(self.in_shape)}; arrays (.npy) have any number of channels"
            )
        frame = self._frame((image.height, image.width))
        rows, columns = self._boxes(image)
        if rows * columns > 1:
            means = self._in_channels(_box_means(image, rows, columns).float())
            seen = _read_through(_triangles(frame, 0, self._size[0], means, rows), means, 0)
            seen = rounded(_read_through(_triangles(frame, 1, self._size[1], means, columns), seen, 1), torch.uint8)
        else:
            pixels = as_bytes(image, self.in_shape[0], self.background, negative=negative)
            seen = torch.from_numpy(np.array(fitted(pixels, (self._size[0], self._size[1]), self.fit, self.background)))
            seen = seen[None] if seen.ndim == 2 else seen.movedim(-1, 0)
        return as_float(seen.contiguous()).to(self.dtype), frame

    def _boxes(self, image: Image.Image) -> tuple[int, int]:
        """Rows and columns of the boxes whose means a photograph is read from, 1/255 off at most."""
        plain = image.mode in ("L", "RGB") and not image.has_transparency_data and self.fit is Fit.stretch
        if not plain or not is_large(*image.size):
            return 1, 1
        rows, columns = (
            max(1, int(n / of_view / _REDUCED))
            for n, of_view in zip((image.height, image.width), self._size, strict=True)
        )
        return rows, columns

    def of_tensor(self, image: Shaped[Tensor, "K *size"]) -> tuple[Float[Tensor, "C *in_size"], Frame]:
        """An image in memory and the frame of its view in it: bytes as those of a file, numbers as they are.

        Args:
            image: uint8, or floating-point in the range of the training; gray, RGB, or with the channels of the run.

        Raises:
            InputError: when it has other channels or dimensions, or values far from those of the training.
        """
        size, channels = tuple(image.shape[1:]), self.in_shape[0]
        if image.ndim != len(self.in_shape) or (image.shape[0] != channels and {image.shape[0], channels} != {1, 3}):
            raise InputError(
                f"expected an image of shape (C, *size) with {channels} channels and {len(self._size)} axes of pixels, "
                f"as the run was trained on, got {tuple(image.shape)}"
            )
        if self.values is not None:
            self.values.check(image)
        if image.dtype == torch.uint8 and image.ndim == 3 and image.shape[0] in (1, 3):
            return self.of_picture(Image.fromarray(image.movedim(0, -1).squeeze(-1).contiguous().numpy()))
        seen = self._in_channels(as_float(image.contiguous()).to(self.dtype))
        frame = self._frame(size)
        background = seen.new_tensor([b / 255 for b in self.background]) if image.ndim == 3 else seen.new_zeros(3)
        for axis in range(len(size)):
            read = _read_through(_triangles(frame, axis, self._size[axis], seen), seen, axis)
            beside = _beside(frame, axis, self._size[axis]).to(seen.device)
            shade = background[: len(seen)] if len(seen) in (1, 3) else seen.new_zeros(len(seen))
            beside = beside.view(-1, *[1] * (len(size) - 1 - axis))
            seen = torch.where(beside, shade.view(-1, *[1] * len(size)), read)
        return seen, frame

    def _in_channels(self, seen: Float[Tensor, "K *size"]) -> Float[Tensor, "C *size"]:
        """A gray image in RGB, or the luma of an RGB one, where the localizer sees such images."""
        if len(seen) == self.in_shape[0]:
            return seen
        if len(seen) == 3:
            return sum(weight * channel for weight, channel in zip(_LUMA, seen, strict=True))[None]
        return seen.expand(3, *seen.shape[1:])

    @property
    def _size(self) -> tuple[int, ...]:
        return self.in_shape[1:]

    def _frame(self, size: tuple[int, ...]) -> Frame:
        return frame_of(size, self._size, self.fit)


def _box_means(image: Image.Image, rows: int, columns: int) -> UInt8[Tensor, "K height width"]:
    pixels = shared_pixels(image)
    made = None if pixels is None else reduced_bytes(pixels if pixels.ndim == 3 else pixels[..., None], rows, columns)
    if made is None:
        made = np.array(image.reduce((columns, rows)))
    return torch.from_numpy(made if made.ndim == 3 else made[..., None]).movedim(-1, 0)


def _read_through(weights: Float[Tensor, "n boxes"], seen: Float[Tensor, "K *size"], axis: int) -> Tensor:
    return torch.tensordot(seen, weights, dims=([axis + 1], [1])).movedim(-1, axis + 1)


def _triangles(frame: Frame, axis: int, n: int, like: Tensor, box: int = 1) -> Float[Tensor, "n boxes"]:
    """The weights of the pixels of an axis, or of boxes of pixels, in n pixels of a view: as wide as the reduction."""
    step = frame.extent[axis] / n
    first = torch.arange(0, frame.size[axis], box, dtype=torch.float64)
    last = (first + box).clamp_max(frame.size[axis])
    distance = ((first + last) / 2 - _centers(frame, axis, n)[:, None]).abs()
    # As Pillow: of the pixels whose centers lie in the support, with a sum of 1.
    weights = (1 - distance / max(step, 1.0)).clamp_min(0) * (last - first)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    return weights.to(like)


def _beside(frame: Frame, axis: int, n: int) -> Bool[Tensor, "n"]:
    """True for the pixels of a view that lie beside the image."""
    centers = _centers(frame, axis, n)
    return (centers < 0) | (centers > frame.size[axis])


def _centers(frame: Frame, axis: int, n: int) -> Float[Tensor, "n"]:
    return frame.start[axis] + (torch.arange(n, dtype=torch.float64) + 0.5) * frame.extent[axis] / n
