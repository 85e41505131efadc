"""Cases that the native warp leaves to torch's operations."""

import contextlib
import copy

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import stnkit
from stnkit.families.tracing import is_plain_eager
from tests.native.cases import Count, affine, bilinear, grid_of, image_of, needs_library, theta_of

pytestmark = needs_library


class Subclass(torch.Tensor):
    pass


class Quiet(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **kwargs or {})


class Watch(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **kwargs or {})


@contextlib.contextmanager
def watched_on_the_cpu():
    with torch.device("cpu"), Watch():
        yield


@pytest.fixture
def count(monkeypatch):
    return Count(monkeypatch)


def test_rows_and_grids_are_read_natively(count):
    image, family = image_of(2, 3, 5, 6), affine()
    stnkit.warp(family, theta_of(family, 2), image, bilinear(), (4, 4))
    bilinear()(image, grid_of(2, 4, 4))
    tps = stnkit.build("transform", "tps")
    stnkit.warp(tps, theta_of(tps, 2), image, stnkit.build("sampler", "bicubic"))
    assert count.forward == 3


def test_parameters_half_images_and_inference_are_native(count):
    theta = torch.nn.Parameter(theta_of(affine(), 2))
    for dtype in (torch.float16, torch.bfloat16):
        assert stnkit.warp(affine(), theta, image_of(2, 1, 4, 4, dtype=dtype), bilinear()).dtype is dtype
    with torch.inference_mode():
        stnkit.warp(affine(), theta, image_of(2, 1, 4, 4), bilinear())
    assert count.forward == 3


OTHERS = {
    "a double image": lambda image, theta: (image.double(), theta),
    "a double theta": lambda image, theta: (image, theta.double()),
    "a subclass": lambda image, theta: (image.as_subclass(Subclass), theta),
    "a lazily negated image": lambda image, theta: (torch.complex(image, -image).conj().imag, theta),
    "an image of three dimensions": lambda image, theta: (image[:, :, None], torch.zeros(2, 12)),
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_tensors_are_the_composites(count, case):
    image, theta = OTHERS[case](image_of(2, 1, 4, 4), theta_of(affine(), 2))
    family = stnkit.build("transform", "affine", ndim=image.ndim - 2)
    out = stnkit.warp(family, theta, image, bilinear())
    assert count.forward == 0
    assert torch.equal(out, bilinear()(image, family.grid(theta, image.shape[2:])))


MODES = [Quiet, Watch, watched_on_the_cpu, stnkit.native.disabled]


@pytest.mark.parametrize("context", MODES)
def test_modes_are_the_composites(count, context):
    with context():
        stnkit.warp(affine(), theta_of(affine(), 2), image_of(2, 1, 4, 4), bilinear())
    assert count.forward == 0


def test_another_default_device_is_the_composites(count):
    theta, image = theta_of(affine(), 2), image_of(2, 1, 4, 4)
    with torch.device("meta"):
        stnkit.warp(affine(), theta, image, bilinear())
    assert count.forward == 0


def test_a_default_device_of_the_cpu_is_native():
    """torch.set_default_device and torch.device are one mode, which changes nothing on a CPU."""
    family, sampler = affine(), bilinear()
    theta, image = theta_of(family, 2).requires_grad_(), image_of(2, 1, 4, 4)
    before = stnkit.native.passes()
    with torch.device("cpu"), torch.device("cpu:0"):
        stnkit.warp(family, theta, image, sampler).sum().backward()
        assert is_plain_eager()  # what kernels of flows ask
    torch.set_default_device("cpu")
    try:
        stnkit.warp(family, theta, image, sampler).sum().backward()
    finally:
        torch.set_default_device(None)
    assert stnkit.native.passes() - before == stnkit.native.Passes(forward=2, backward=2)


def test_deterministic_requests_are_the_composites(count):
    torch.use_deterministic_algorithms(True)
    try:
        stnkit.warp(affine(), theta_of(affine(), 2), image_of(2, 1, 4, 4), bilinear())
    finally:
        torch.use_deterministic_algorithms(False)
    assert count.forward == 0


def test_hooks_of_a_sampler_are_called(count):
    image, theta, seen = image_of(2, 1, 4, 4), theta_of(affine(), 2), []
    sampler = bilinear()
    handle = sampler.register_forward_pre_hook(lambda module, args: seen.append(args[1].shape))
    stnkit.warp(affine(), theta, image, sampler)
    handle.remove()
    handle = torch.nn.modules.module.register_module_forward_hook(lambda module, args, out: seen.append(out.shape))
    stnkit.warp(affine(), theta, image, sampler)
    handle.remove()
    assert seen == [(2, 4, 4, 2), (2, 1, 4, 4)]
    # Behind its hooks, the sampler reads the grid natively.
    assert count.forward == 2


class Doubled(type(bilinear())):
    """Overrides what its base says it computes."""

    def sample(self, image, grid):
        return 2 * super().sample(image, grid)


class Named(type(bilinear())):
    """Says it again."""

    def sample(self, image, grid):
        return super().sample(image, grid)

    def interpolation(self):
        return super().interpolation()


def test_a_subclass_that_computes_otherwise_is_not_believed(count):
    image, theta = image_of(2, 1, 4, 4), theta_of(affine(), 2)
    doubled = stnkit.warp(affine(), theta, image, Doubled())
    assert count.forward == 0
    assert torch.allclose(doubled, 2 * stnkit.warp(affine(), theta, image, Named()), atol=1e-5)
    assert count.forward == 1


def test_methods_of_an_object_are_respected(count):
    image, theta, family, sampler = image_of(2, 1, 4, 4), theta_of(affine(), 2), affine(), bilinear()
    family._grid = lambda theta, size: torch.zeros(2, *size, 2)
    assert stnkit.warp(family, theta, image, sampler).std(dim=(2, 3)).max() < 1e-6
    sampler.sample = lambda image, grid: torch.full((2, 1, 4, 4), 7.0)
    assert stnkit.warp(affine(), theta, image, sampler).eq(7).all()
    assert count.forward == 1


def test_a_strangers_sampler_and_family_are_the_composites(count):
    class Shift(stnkit.TransformFamily):
        n_params = 2

        def identity(self):
            return torch.zeros(2, dtype=torch.float64)

        def forward(self, theta, points):
            return points + theta[:, None]

    sampler = torch.nn.Module()
    sampler.forward = lambda image, grid: torch.nn.functional.grid_sample(image, grid, align_corners=False)
    image, family = image_of(2, 1, 4, 4), Shift()
    theta = torch.tensor([[0.25, -0.5], [0.0, 0.5]])
    expected = stnkit.warp(family, theta, image, sampler)
    assert count.forward == 0
    assert torch.allclose(stnkit.warp(family, theta, image, bilinear()), expected, atol=1e-6)
    assert count.forward == 1


def test_a_sampler_with_double_backward_names_no_interpolation(count):
    for name in ("bilinear", "bicubic"):
        sampler = stnkit.build("sampler", name, double_backward=True)
        assert sampler.interpolation() is None
        stnkit.warp(affine(), theta_of(affine(), 2), image_of(2, 1, 4, 4), sampler)
    assert count.forward == 0


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("value", [np.float32(0.5), torch.tensor(0.5), [np.float32(0.5)], [torch.tensor(0.5)]])
def test_fill_values_of_other_types_are_the_composites(count, value):
    sampler = type(bilinear())(padding="fill", fill_value=value)
    image, theta = image_of(2, 1, 4, 4), 2 * theta_of(affine(), 2)
    out = stnkit.warp(affine(), theta, image, sampler)
    assert count.forward == 0
    assert torch.allclose(out, stnkit.warp(affine(), theta, image, bilinear(padding="fill", fill_value=0.5)), atol=1e-5)
    assert count.forward == 1


@pytest.mark.parametrize(("name", "option"), [("bilinear", "padding"), ("bicubic", "sample_padding"), ("bicubic", "a")])
def test_options_that_a_sampler_has_built_upon_are_fixed(name, option):
    sampler = stnkit.build("sampler", name)
    with pytest.raises(AttributeError, match=option):
        setattr(sampler, option, "border")


def test_a_copied_sampler_is_native(count):
    stnkit.warp(affine(), theta_of(affine(), 2), image_of(2, 1, 4, 4), copy.deepcopy(bilinear()))
    assert count.forward == 1


def sentence(work, *args):
    with pytest.raises(stnkit.errors.InputError) as error:
        work(*args)
    return str(error.value)


WRONG = [
    lambda f, s: stnkit.warp(f, torch.zeros(2, 5), image_of(2, 1, 4, 4), s),
    lambda f, s: stnkit.warp(f, torch.zeros(3, 6), image_of(2, 1, 4, 4), s),
    lambda f, s: stnkit.warp(f, torch.zeros(2, 6, dtype=torch.int64), image_of(2, 1, 4, 4), s),
    lambda f, s: stnkit.warp(f, [0.0] * 6, image_of(2, 1, 4, 4), s),
    lambda f, s: stnkit.warp(f, torch.zeros(2, 6), image_of(2, 1, 4, 4), s, (0, 4)),
    lambda f, s: stnkit.warp(f, torch.zeros(2, 6), image_of(2, 1, 4, 4), s, (4, 4, 4)),
    lambda f, s: stnkit.warp(f, torch.zeros(2, 6), image_of(2, 1, 0, 4), s, (4, 4)),
    lambda f, s: stnkit.warp(f, torch.zeros(2, 6), image_of(2, 1, 4), s, (4, 4)),
    lambda f, s: stnkit.warp(f, torch.zeros(2, 6), torch.zeros(2, 1, 4, 4, dtype=torch.int32), s),
    lambda f, s: stnkit.warp(f, torch.zeros(2, 6), image_of(2, 3, 4, 4), bilinear(padding="fill", fill_value=[0.0, 1])),
    lambda f, s: stnkit.warp(f, torch.zeros(2, 6), image_of(2, 3, 4, 4), bilinear(padding="fill", fill_value=[1.0])),
    lambda f, s: s(image_of(3, 1, 4, 4), grid_of(2, 4, 4)),
]


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_is_the_same_sentence(wrong):
    def grid_then_sample(family, theta, image, sampler, size=None):
        return sampler(image, family.grid(theta, image.shape[2:] if size is None else size))

    told = sentence(wrong, affine(), bilinear())
    warp, stnkit.warp = stnkit.warp, grid_then_sample
    try:
        with stnkit.native.disabled():
            assert sentence(wrong, affine(), bilinear()) == told
    finally:
        stnkit.warp = warp


def test_an_image_without_a_batch_is_named_not_the_size():
    with pytest.raises(stnkit.errors.InputError, match=r"Affine: expected images of 4 axes, .*, got shape \(1, 4, 4\)"):
        stnkit.warp(affine(), torch.zeros(1, 6), torch.zeros(1, 4, 4), bilinear())


@needs_library
@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("size", [None, (4, 4)])
def test_a_name_is_no_family_and_no_sampler(size):
    image, theta = image_of(2, 1, 5, 6), theta_of(affine(), 2)
    with pytest.raises(stnkit.errors.InputError, match="family: expected a TransformFamily, got 'affine'"):
        stnkit.warp("affine", theta, image, bilinear(), size)
    with pytest.raises(stnkit.errors.InputError, match="sampler: expected a Sampler, got 'bilinear'"):
        stnkit.warp(affine(), theta, image, "bilinear", size)


def test_the_passes_of_the_library_are_counted():
    sampler, image = bilinear(), torch.rand(1, 1, 4, 4, requires_grad=True)
    before = stnkit.native.passes()
    sampler(image, torch.zeros(1, 1, 1, 2)).sum().backward()
    with stnkit.native.disabled():
        sampler(image, torch.zeros(1, 1, 1, 2)).sum().backward()
    assert stnkit.native.passes() - before == stnkit.native.Passes(forward=1, backward=1)
