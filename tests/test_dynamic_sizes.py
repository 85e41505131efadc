"""One compiled or exported warp for images of any height and width."""

import pytest
import torch
from torch import nn

import stnkit
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import with_few_steps

pytestmark = [
    pytest.mark.slow,
    pytest.mark.no_jaxtyping,
    pytest.mark.filterwarnings("ignore:the nearest sampler has zero gradient"),
]
WARPS = [(name, "bilinear") for name in plugin_registry().names("transform")] + [
    ("affine", name) for name in plugin_registry().names("sampler") if name != "bilinear"
]
SCATTERED = {"name": "piecewise_affine", "control_points": [[-0.9, -0.8], [0.7, -1.0], [0.1, 0.2], [-0.6, 0.9]]}
WARPS += [(SCATTERED, "bilinear")]
SIZES = [(12, 14), (20, 9), (33, 70), (12, 14)]


class Warp(nn.Module):
    def __init__(self, transform, sampler):
        super().__init__()
        self.family = stnkit.build("transform", with_few_steps(transform))
        self.sampler = stnkit.build("sampler", sampler)

    def forward(self, image, theta):
        return self.sampler(image, self.family.grid(theta, image.shape[2:]))


def theta_of(warp):
    return warp.family.identity()[None].float().expand(2, -1) + 0.01


@pytest.mark.parametrize(("transform", "sampler"), WARPS)
def test_a_warp_compiles_for_alternating_sizes(transform, sampler):
    torch.compiler.reset()
    warp = Warp(transform, sampler)
    compiled, theta = torch.compile(warp, backend="eager", dynamic=True, fullgraph=True), theta_of(warp)
    for size in SIZES:
        image = torch.rand(2, 1, *size)
        torch.testing.assert_close(compiled(image, theta), warp(image, theta), atol=2e-5, rtol=0)


@pytest.mark.parametrize(("transform", "sampler"), WARPS)
def test_a_warp_is_exported_for_any_height_and_width(transform, sampler):
    """pytorch 124507, 8978."""
    warp = Warp(transform, sampler)
    theta = theta_of(warp)
    height, width = (torch.export.Dim(name, min=4, max=512) for name in ("height", "width"))
    shapes = ({2: height, 3: width}, None)
    program = torch.export.export(warp, (torch.rand(2, 1, 12, 14), theta), dynamic_shapes=shapes, strict=False)
    exported = program.module()
    for size in SIZES:
        image = torch.rand(2, 1, *size)
        torch.testing.assert_close(exported(image, theta), warp(image, theta), atol=2e-5, rtol=0)


READINGS = [(name, "zeros", False) for name in plugin_registry().names("sampler")]
READINGS += [("bspline", "reflection", False), ("bspline", "reflection", True)]


@pytest.mark.parametrize(("sampler", "padding", "strict"), READINGS)
def test_a_sampler_is_exported_for_any_images(sampler, padding, strict):
    """`bspline` filters in blocks of 64 pixels: here of one, of whole ones, and of more than were traced."""
    warp = Warp("affine", {"name": sampler, "padding": padding})
    # At least 3 pixels: `antialiased` and `area` take differences along each axis, of which one would be broadcast.
    batch, height, width = (torch.export.Dim(name, min=n) for name, n in (("batch", 1), ("height", 3), ("width", 3)))
    shapes = ({0: batch, 2: height, 3: width}, {0: batch})
    given = torch.rand(2, 1, 12, 70), theta_of(warp)
    exported = torch.export.export(warp, given, dynamic_shapes=shapes, strict=strict).module()
    for n, size in ((1, (64, 128)), (3, (129, 3))):
        image, theta = torch.rand(n, 1, *size), theta_of(warp)[:1].expand(n, -1)
        torch.testing.assert_close(exported(image, theta), warp(image, theta), atol=2e-5, rtol=0)


@pytest.mark.parametrize("transform", ["cpab", "tps"])
def test_a_warp_is_exported_for_any_batch(transform):
    warp = Warp(transform, "bilinear")
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        program = torch.export.export(
            warp, (torch.rand(2, 1, 12, 14), theta_of(warp)), dynamic_shapes=({0: batch}, {0: batch}), strict=False
        )
    for n in (1, 3):
        image, theta = torch.rand(n, 1, 12, 14), theta_of(warp)[:1].expand(n, -1)
        torch.testing.assert_close(program.module()(image, theta), warp(image, theta), atol=2e-5, rtol=0)
