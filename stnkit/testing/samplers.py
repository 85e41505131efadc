"""What every sampler has to do: the checks of `Sampler`, in two and in three dimensions where it reads both."""

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.plugin_system.options import options_of
from stnkit.samplers.padding import Padding
from stnkit.samplers.sampler import Sampler
from stnkit.testing import round_trips
from stnkit.testing.assertions import (
    FLOAT64,
    CheckFailed,
    NotApplicable,
    close,
    finite,
    gradcheck_sentence,
    require,
)
from stnkit.testing.component_under_test import NotBuilt, Subject
from stnkit.testing.inputs import SIZE, devices, uniform

# So far inside that no padding is seen: a spline's coefficients depend on all pixels, the less the farther.
WIDE = {2: (62, 65), 3: (41, 42, 43)}
FILL = 0.625


def construction(subject: Subject) -> None:
    """The constructor works with the options, and the sampler reads images, volumes or both."""
    try:
        _dimensions(subject.built())
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason


def config(subject: Subject) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(subject)


def shapes(subject: Subject) -> None:
    """An image (B, C, *in_size) and a grid (B, *out_size, ndim) of any two sizes give (B, C, *out_size)."""
    sampler: Sampler = subject.built()
    sizes = [(5, 8), (1, 6), (6, 1), (1, 1)], [(3, 4, 5), (1, 1, 4), (1, 1, 1)]
    for ndim in _dimensions(sampler):
        for in_size in sizes[ndim - 2]:
            for out_size in sizes[ndim - 2]:
                found = sampler(_image(in_size), _grid(out_size))
                shape, expected = tuple(found.shape), (2, 3, *out_size)
                require(shape == expected, f"it must give shape {expected} for a grid of {list(out_size)}, not {shape}")
                finite(found, f"what is read from an image of {list(in_size)} must be finite")


def empty_batch(subject: Subject) -> None:
    """A batch of no images gives a batch of no images."""
    sampler: Sampler = subject.built()
    for ndim in _dimensions(sampler):
        shape = tuple(sampler(_image(SIZE[ndim])[:0], _grid(SIZE[ndim])[:0]).shape)
        require(shape == (0, 3, *SIZE[ndim]), f"an empty batch must have shape {(0, 3, *SIZE[ndim])}, but has {shape}")


def identity(subject: Subject) -> None:
    """Read at the centers of its pixels, an image that grows evenly is itself: nothing is shifted, scaled or turned.

    A sampler may smooth, and so it need not give back every image; what smooths evenly keeps an even slope. It is
    read away from the edges, where padding has no part in it.
    """
    sampler: Sampler = subject.built()
    for ndim in _dimensions(sampler):
        lattice = coordinates.lattice(WIDE[ndim], dtype=torch.float64)
        # A tenth for each pixel, away from the middle, which a wrong extent of the image leaves where it is.
        slopes = torch.tensor([0.1, -0.15, 0.12], dtype=torch.float64)[:ndim]
        pixels = coordinates.to_pixels(lattice, WIDE[ndim])
        part = tuple(slice(n // 3, n // 3 + 4 + d) for d, n in enumerate(WIDE[ndim]))
        image = ((pixels - pixels[part].flatten(0, -2).mean(dim=0)) * slopes).sum(dim=-1)
        found = sampler(image.expand(2, 3, *WIDE[ndim]), lattice[part].expand(2, *[-1] * (ndim + 1)))
        claim = "an image that grows evenly must be read at its pixel centers as it is, to a hundredth of a pixel"
        close(found, image[part].expand_as(found), 1e-3, claim)


def constants(subject: Subject) -> None:
    """A constant image is constant wherever it is read inside: the weights of the pixels sum to one."""
    sampler: Sampler = subject.built()
    for ndim in _dimensions(sampler):
        image = torch.full((2, 3, *WIDE[ndim]), 3.25, dtype=torch.float64)
        found = sampler(image, 0.1 * _grid(SIZE[ndim], reach=1.0))
        close(found, torch.full_like(found, 3.25), FLOAT64 * 100, "a constant image must be read as that constant")


def padding(subject: Subject) -> None:
    """What lies outside is what `padding` says, for each of zeros, border, reflection, circular and fill.

    Zeros and fill: far outside there is nothing else. Border, reflection and circular keep a constant image
    everywhere; beyond a border nothing changes, a reflection is symmetric about the edge, a circle repeats.
    """
    modes = _paddings(subject)
    if not modes:
        raise NotApplicable("it takes no padding")
    for mode, make in modes:
        sampler = make()
        for ndim in _dimensions(sampler):
            image, grid = _image(SIZE[ndim])[:1], _grid(SIZE[ndim], reach=2.3)[:1]
            far = 60 + grid
            if mode in (Padding.zeros, Padding.fill):
                value = FILL if mode is Padding.fill and subject.component else getattr(sampler, "fill_value", 0.0)
                value = 0.0 if mode is Padding.zeros else value
                found = sampler(image, far)
                fill = torch.as_tensor(value, dtype=found.dtype).view(-1, *[1] * ndim)
                close(found, fill.expand_as(found), FLOAT64, f"with padding={mode} there must be {value} far outside")
                continue
            constant = torch.full_like(image, 3.25)
            claim = f"padding={mode} must keep a constant image everywhere"
            close(sampler(constant, grid), constant, FLOAT64, claim)
            pairs = {
                Padding.border: (far, 10 + far, "beyond the border nothing may change"),
                Padding.reflection: (grid, 2 - grid, "it must be symmetric about the edge"),
                Padding.circular: (grid, grid + 2, "the image must repeat"),
            }
            here, there, claim = pairs[mode]
            close(sampler(image, there), sampler(image, here), FLOAT64, f"with padding={mode} {claim}")


def dtype_and_device(subject: Subject) -> None:
    """What is read has the dtype of the image, whatever that of the grid, and is on its device."""
    for device in devices():
        sampler = subject.another().to(device)
        for ndim in _dimensions(subject.built()):
            for image_dtype in (torch.float32, torch.float64):
                for grid_dtype in (torch.float32, torch.float64):
                    image, grid = _image(SIZE[ndim]).to(device, image_dtype), _grid(SIZE[ndim]).to(device, grid_dtype)
                    found = sampler(image, grid)
                    kept = found.dtype == image_dtype and found.device.type == device.type
                    claim = f"an image in {image_dtype} on {device} with a grid in {grid_dtype}"
                    require(kept, f"{claim} must keep both, but gives {found.dtype} on {found.device}")


def half_precision(subject: Subject) -> None:
    """An image of half precision is read with the precision of its grid, float32, and rounded once."""
    sampler: Sampler = subject.built()
    for ndim in _dimensions(sampler):
        for dtype in (torch.float16, torch.bfloat16):
            image, grid = _image(SIZE[ndim]).to(dtype), _grid(SIZE[ndim]).float()
            found = sampler(image, grid)
            require(found.dtype == dtype, f"an image in {dtype} must give {dtype}, but gives {found.dtype}")
            expected = sampler(image.float(), grid).to(dtype)
            # One unit in the last place, for what lies halfway between two numbers.
            close(found.float(), expected.float(), torch.finfo(dtype).eps, f"{dtype} must be read as in float32")


def autocast(subject: Subject) -> None:
    """Autocast does not change what is read."""
    sampler: Sampler = subject.built()
    for ndim in _dimensions(sampler):
        image, grid = _image(SIZE[ndim]).float(), _grid(SIZE[ndim]).float()
        expected = sampler(image, grid)
        with torch.autocast("cpu", torch.bfloat16):
            found = sampler(image, grid)
        close(found.float(), expected, 1e-6, "autocast must change nothing (see coordinates.full_precision)")


def batch_independence(subject: Subject) -> None:
    """Element i of a batch is what the same image and grid give alone."""
    sampler: Sampler = subject.built()
    for ndim in _dimensions(sampler):
        image, grid = _image(SIZE[ndim]), _grid(SIZE[ndim])
        alone = torch.cat([sampler(image[i : i + 1], grid[i : i + 1]) for i in range(len(image))])
        close(sampler(image, grid), alone, FLOAT64, "each image must be read as if it were alone")


def channel_independence(subject: Subject) -> None:
    """A channel is what it is without the others."""
    sampler: Sampler = subject.built()
    if isinstance(getattr(sampler, "fill_value", 0.0), list | tuple):
        raise NotApplicable("its fill values are for a fixed number of channels")
    for ndim in _dimensions(sampler):
        image, grid = _image(SIZE[ndim]), _grid(SIZE[ndim])
        alone = torch.cat([sampler(image[:, c : c + 1], grid) for c in range(image.shape[1])], dim=1)
        close(sampler(image, grid), alone, FLOAT64, "each channel must be read as if it were alone")


def gradient_to_image(subject: Subject) -> None:
    """The gradient to the image is that of finite differences."""
    sampler: Sampler = subject.built()
    for ndim in _dimensions(sampler):
        grid = _off_kinks(SIZE[ndim])
        image = _image(SIZE[ndim])[:1].requires_grad_()
        _check_gradients("image", functools.partial(_read, sampler, grid=grid), image)


def gradient_to_grid(subject: Subject) -> None:
    """The gradient to the grid is that of finite differences, away from the kinks of a kernel.

    At the centers of pixels, where training starts, it is finite and not zero throughout.
    A sampler with `exact_gradient = False` says that it has another one, or none: it has to be finite.
    """
    sampler: Sampler = subject.built()
    for ndim in _dimensions(sampler):
        image = _image(SIZE[ndim])[:1]
        grid = _off_kinks(SIZE[ndim]).requires_grad_()
        if sampler.exact_gradient:
            _check_gradients("grid", functools.partial(_read, sampler, image), grid)
            _check_start(sampler, ndim)
            continue
        with _silence():
            value = sampler(image, grid).sum()
            require(value.requires_grad, "there must be a gradient to the grid, if only of zeros")
            finite(torch.autograd.grad(value, grid)[0], "the gradient to the grid must be finite")


def nan_grid(subject: Subject) -> None:
    """A grid with NaN or infinity crashes nothing, forward or backward, and leaves other images alone."""
    sampler: Sampler = subject.built()
    for ndim in _dimensions(sampler):
        image, grid = _image(SIZE[ndim]), _grid(SIZE[ndim])
        expected = sampler(image, grid)[1]
        for value in (torch.nan, torch.inf, -torch.inf):
            broken = grid.clone()
            broken[0, 1] = value
            broken.requires_grad_()
            with _silence():
                found = sampler(image.clone().requires_grad_(), broken)
                found.nan_to_num().sum().backward()
            close(found[1], expected, FLOAT64, f"a grid with {value} must not change what is read of another image")


def state_dict(subject: Subject) -> None:
    """A second sampler that loads the state of the first, through a file of plain tensors, reads the same."""
    sampler: Sampler = subject.built()
    respond = _response(sampler)
    round_trips.after_state_dict(sampler, subject.another(), respond)


def pickled(subject: Subject) -> None:
    """A sampler that was used, pickled and unpickled reads the same."""
    sampler: Sampler = subject.built()
    round_trips.after_pickle(sampler, _response(sampler))


def deep_copied(subject: Subject) -> None:
    """A deep copy of a sampler that was used reads the same."""
    sampler: Sampler = subject.built()
    round_trips.after_deepcopy(sampler, _response(sampler))


def compiled(subject: Subject) -> None:
    """torch.compile(fullgraph=True) reads the same values, with the same gradients."""
    sampler: Sampler = subject.built()
    ndim = _dimensions(sampler)[0]
    image, grid = _image(SIZE[ndim]).requires_grad_(), _grid(SIZE[ndim]).requires_grad_()
    program = torch.compile(sampler, fullgraph=True, backend="aot_eager")
    with _silence():
        round_trips.after_compile(sampler, lambda s: s(image, grid), lambda _: program(image, grid), [image, grid])


CHECKS = (
    construction,
    config,
    shapes,
    empty_batch,
    identity,
    constants,
    padding,
    dtype_and_device,
    half_precision,
    autocast,
    batch_independence,
    channel_independence,
    gradient_to_image,
    gradient_to_grid,
    nan_grid,
    state_dict,
    pickled,
    deep_copied,
    compiled,
)


def _image(size: tuple[int, ...]) -> Tensor:
    return uniform(2, 3, *size, seed=4)


def _grid(size: tuple[int, ...], reach: float = 1.4) -> Tensor:
    """Points on the image and beside it."""
    return reach * uniform(2, *size, len(size), seed=5)


def _off_kinks(size: tuple[int, ...]) -> Tensor:
    """Points a tenth to a quarter of a pixel away from centers, where kernels have kinks, and from their middle."""
    pixels = coordinates.to_pixels(_grid((2, 3, 2)[: len(size)], reach=1.2)[:1], size)
    rest = pixels - pixels.round()
    return coordinates.from_pixels(pixels.round() + (0.1 + 0.3 * rest.abs()) * rest.sign(), size)


def _dimensions(sampler: Sampler) -> list[int]:
    """In how many dimensions it reads: those that it does not refuse by an InputError.

    Raises:
        NotBuilt: when it refuses both.
    """
    read = []
    for ndim, size in SIZE.items():
        try:
            sampler(_image(size), _grid(size))
        except InputError as error:
            reason = str(error)
        else:
            read.append(ndim)
    if not read:
        raise NotBuilt(f"it reads neither images nor volumes: {reason}")
    return read


def _paddings(subject: Subject) -> list[tuple[Padding, Callable[[], Sampler]]]:
    """The paddings that it takes, each with how to make a sampler of it; one that was given as an object has one."""
    if subject.component is None:
        mode = getattr(subject.instance, "padding", None)
        return [(Padding.parse(mode), lambda: subject.instance)] if isinstance(mode, str) else []
    names = [option.name for option in options_of(subject.component)]
    if "padding" not in names:
        return []
    made: list[tuple[Padding, Callable[[], Sampler]]] = []
    for mode in Padding:
        fill = {"fill_value": FILL} if mode is Padding.fill and "fill_value" in names else {}
        changed = subject.with_options(padding=mode.value, **fill)
        made.append((mode, changed.built))
    return made


def _response(sampler: Sampler) -> Callable[[Sampler], Tensor]:
    ndim = _dimensions(sampler)[0]
    return lambda s: s(_image(SIZE[ndim]), _grid(SIZE[ndim]))


def _read(sampler: Sampler, image: Tensor, grid: Tensor) -> Tensor:
    read: Tensor = sampler(image, grid)
    return read


def _check_start(sampler: Sampler, ndim: int) -> None:
    # Of sides that are powers of two, so that no rounding moves a point off its pixel's center.
    size = (4, 8, 4)[:ndim]
    grid = coordinates.lattice(size, dtype=torch.float64)[None].requires_grad_()
    (found,) = torch.autograd.grad(sampler(_image(size)[:1], grid).sum(), grid)
    finite(found, "the gradient to the grid must be finite at the centers of pixels, where training starts")
    moves = float(found.abs().max()) > FLOAT64
    require(moves, "the gradient to the grid must not be 0 at the centers of all pixels, where training starts")


def _check_gradients(name: str, call: Callable[[Tensor], Tensor], point: Tensor) -> None:
    try:
        torch.autograd.gradcheck(call, (point,), fast_mode=True)
    except (RuntimeError, AssertionError, ValueError) as error:
        text = gradcheck_sentence(error)
        raise CheckFailed(f"the gradient to the {name} must be that of finite differences: {text}") from error


@contextmanager
def _silence() -> Iterator[None]:
    """Without the warning of a sampler that has no gradient to the grid, which is asked for one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
