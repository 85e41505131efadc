"""The native warp as operators, which torch.compile keeps whole: `stnkit::warp` and `stnkit::warp_backward`."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stnkit.families.nested_batches import as_one_batch
from stnkit.families.tracing import is_dual
from stnkit.native import calls
from stnkit.native.interpolation import Interpolation

_OPTIONS = "SymInt height, SymInt width, int taps, float a, str padding, float[] fill"


def warped(interpolation: Interpolation, image: Tensor, coordinates: Tensor, size: Sequence[int]) -> Tensor:
    """The image at the coordinates, as one operator.

    Args:
        interpolation: of the sampler.
        image: a batch of images.
        coordinates: rows of matrices (B, 2 or 3, 3), or a grid (B, H, W, 2).
        size: (H, W) of the output.
    """
    value = interpolation.fill_value
    fill = [float(v) for v in value] if isinstance(value, list | tuple) else [float(value)]
    options = interpolation.taps, interpolation.a, str(interpolation.padding), fill
    made: Tensor = torch.ops.stnkit.warp(image, coordinates, *size, *options)
    return made


def _forward(image: Tensor, coordinates: Tensor, height: int, width: int, *options: Any) -> Tensor:
    _refuse_forward_mode()
    return calls.forward(image, coordinates, (height, width), _interpolation(*options))


def _backward(
    gradient: Tensor,
    image: Tensor,
    coordinates: Tensor,
    of_image: bool,
    of_coordinates: bool,
    height: int,
    width: int,
    *options: Any,
) -> tuple[Tensor, Tensor]:
    _refuse_forward_mode()
    like = calls.likeness(image)
    # Planar, so that the layout of the result follows from the shape alone.
    points = coordinates if coordinates.ndim == 3 else calls.planar(coordinates)
    found = calls.backward(
        gradient, image, points, like, (height, width), _interpolation(*options), of_image, of_coordinates
    )
    # An operator returns tensors.
    first, second = (image.new_empty(0) if tensor is None else tensor for tensor in found)
    return first, second


def _forward_shape(image: Tensor, coordinates: Tensor, height: int, width: int, *_: Any) -> Tensor:
    made: Tensor = image.new_empty(image.shape[0], image.shape[1], height, width)
    return made.to(memory_format=calls.memory_format(image))


def _backward_shape(
    gradient: Tensor, image: Tensor, coordinates: Tensor, of_image: bool, of_coordinates: bool, *_: Any
) -> tuple[Tensor, Tensor]:
    made = image.new_empty(image.shape).to(memory_format=calls.memory_format(image)) if of_image else image.new_empty(0)
    if not of_coordinates:
        return made, image.new_empty(0)
    if coordinates.ndim == 3:
        return made, coordinates.new_empty(coordinates.shape)
    batch, height, width, axes = coordinates.shape
    return made, coordinates.new_empty(batch, axes, height, width).movedim(1, -1)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    image, coordinates, *ctx.options = inputs
    ctx.save_for_backward(image, coordinates)


def _differentiate(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    of_image, of_coordinates, *others = ctx.needs_input_grad
    found = torch.ops.stnkit.warp_backward(gradient, *ctx.saved_tensors, of_image, of_coordinates, *ctx.options)
    return found[0] if of_image else None, found[1] if of_coordinates else None, *(None for _ in others)


def _refuse_second(ctx: Any, *gradients: Tensor) -> Any:
    raise NotImplementedError("stnkit::warp: expected one derivative, got a second one: take it outside of the program")


def _batched_forward(info: Any, in_dims: tuple[Any, ...], image: Tensor, coordinates: Tensor, *options: Any) -> Any:
    n = info.batch_size
    flat = as_one_batch(n, in_dims, image, coordinates)
    return torch.ops.stnkit.warp(*flat, *options).unflatten(0, (n, -1)), 0


def _batched_backward(
    info: Any, in_dims: tuple[Any, ...], gradient: Tensor, image: Tensor, coordinates: Tensor, *options: Any
) -> Any:
    n = info.batch_size
    flat = as_one_batch(n, in_dims, gradient, image, coordinates)
    found = torch.ops.stnkit.warp_backward(*flat, *options)
    wanted = options[:2]
    return tuple(t.unflatten(0, (n, -1)) if w else t for t, w in zip(found, wanted, strict=True)), tuple(
        0 if w else None for w in wanted
    )


def _interpolation(taps: int, a: float, padding: str, fill: list[float]) -> Interpolation:
    return Interpolation(taps, padding, fill, a)


def _refuse_forward_mode() -> None:
    # Below the level of autograd a tangent would be lost without a word.
    if is_dual():
        raise NotImplementedError("stnkit::warp: expected no level of forward-mode AD, for which it has no rule")


def _define() -> None:
    library = torch.library
    if hasattr(torch.ops.stnkit, "warp"):  # this module was imported before in this process, as by a reload
        return
    library.define("stnkit::warp", f"(Tensor image, Tensor coordinates, {_OPTIONS}) -> Tensor")
    library.define(
        "stnkit::warp_backward",
        "(Tensor gradient, Tensor image, Tensor coordinates, bool of_image, bool of_coordinates, "
        f"{_OPTIONS}) -> (Tensor, Tensor)",
    )
    library.impl("stnkit::warp", "cpu", _forward)
    library.impl("stnkit::warp_backward", "cpu", _backward)
    library.register_fake("stnkit::warp", _forward_shape)
    library.register_fake("stnkit::warp_backward", _backward_shape)
    library.register_autograd("stnkit::warp", _differentiate, setup_context=_setup_context)
    library.register_autograd("stnkit::warp_backward", _refuse_second)
    library.register_vmap("stnkit::warp", _batched_forward)
    library.register_vmap("stnkit::warp_backward", _batched_backward)


_define()
