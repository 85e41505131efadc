"""Images that no sampler reads, and tensors on several devices."""

import pytest
import torch

import stnkit
from stnkit.plugin_system.registry import plugin_registry

pytestmark = pytest.mark.no_jaxtyping
NAMES = plugin_registry().names("sampler")
IMAGE = torch.rand(2, 1, 6, 7)
THETA = torch.eye(2, 3).view(1, 6).expand(2, -1)
FAMILY = stnkit.build("transform", "affine")
REFUSED = {
    "sparse": (lambda: IMAGE.to_sparse(), r"image: expected a dense tensor, got torch\.sparse_coo"),
    "mkldnn": (lambda: IMAGE.to_mkldnn(), r"image: expected a dense tensor, got torch\._mkldnn"),
    "nested": (lambda: torch.nested.nested_tensor(list(IMAGE)), "image: expected a dense tensor, got a nested one"),
    "float8": (
        lambda: IMAGE.to(torch.float8_e4m3fn),
        r"image: expected a floating-point tensor of at least 16 bits, got torch\.float8_e4m3fn",
    ),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", NAMES)
def test_images_that_cannot_be_read_are_refused(name, kind):
    made, message = REFUSED[kind]
    sampler, image = stnkit.build("sampler", name), made()
    with pytest.raises(stnkit.errors.InputError, match=f"^{message}$"):
        sampler(image, FAMILY.grid(THETA, (6, 7)))
    with pytest.raises(stnkit.errors.InputError, match=f"^{message}$"):
        stnkit.warp(FAMILY, THETA, image, sampler, (6, 7))


@pytest.mark.parametrize("kind", ["sparse", "mkldnn"])
def test_a_transformer_refuses_them_before_it_localizes(kind):
    made, message = REFUSED[kind]
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(1, 6, 7))
    transformer = stnkit.SpatialTransformer(localizer, FAMILY, stnkit.build("sampler", "bilinear"))
    for read in (transformer, lambda image: transformer.warp(image, THETA)):
        with pytest.raises(stnkit.errors.InputError, match=f"^{message}$"):
            read(made())


def test_a_sparse_theta_is_refused():
    with pytest.raises(
        stnkit.errors.InputError, match=r"^Affine: theta: expected a dense tensor, got torch\.sparse_coo$"
    ):
        stnkit.warp(FAMILY, THETA.to_sparse(), IMAGE, stnkit.build("sampler", "bilinear"))


@pytest.mark.parametrize("name", NAMES)
def test_theta_grid_and_image_are_on_one_device(name):
    sampler, grid = stnkit.build("sampler", name), FAMILY.grid(THETA, (6, 7))
    message = "expected the device of the image, cpu, got meta"
    with pytest.raises(stnkit.errors.InputError, match=f"^theta: {message}$"):
        stnkit.warp(FAMILY, THETA.to("meta"), IMAGE, sampler)
    with pytest.raises(stnkit.errors.InputError, match=f"^grid: {message}$"):
        sampler(IMAGE, grid.to("meta"))
    with pytest.raises(stnkit.errors.InputError, match=r"^theta: .* of the image, meta, got cpu$"):
        stnkit.warp(FAMILY, THETA, IMAGE.to("meta"), sampler)
    assert stnkit.warp(FAMILY, THETA.to("meta"), IMAGE.to("meta"), sampler).shape == IMAGE.shape


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.trace", "ignore:`torch.jit.load", "ignore::torch.jit.TracerWarning")
def test_the_checks_leave_no_trace_in_programs():
    sampler = stnkit.build("sampler", "bilinear")

    class Warp(torch.nn.Module):
        def forward(self, image, theta):
            return stnkit.warp(FAMILY, theta, image, sampler)

    expected = Warp()(IMAGE, THETA)
    torch.compiler.reset()
    programs = [
        torch.compile(Warp(), fullgraph=True, backend="aot_eager"),
        torch.export.export(Warp(), (IMAGE, THETA)).module(),
        torch.export.export(Warp(), (IMAGE, THETA), strict=True).module(),
        torch.jit.trace(Warp(), (IMAGE, THETA)),
    ]
    for program in programs:
        torch.testing.assert_close(program(IMAGE, THETA), expected, atol=1e-5, rtol=0)
