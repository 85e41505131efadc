import pytest
import torch
from torch import nn

import stnkit

pytestmark = pytest.mark.no_jaxtyping
AFFINE, BILINEAR = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
THETA = AFFINE.identity().float()[None].expand(2, -1)


@pytest.mark.parametrize("size", [None, (4, 4)])
@pytest.mark.parametrize(
    ("family", "sampler", "message"),
    [
        (BILINEAR, AFFINE, "family: expected a TransformFamily, got Bilinear"),
        (nn.Identity(), BILINEAR, "family: expected a TransformFamily, got Identity"),
        (type(AFFINE), BILINEAR, "family: expected a TransformFamily, got <class .*Affine'>"),
        (AFFINE, stnkit.build("transform", "tps"), "sampler: expected a Sampler, got ThinPlateSpline"),
        (AFFINE, type(BILINEAR), "sampler: expected a Sampler, got <class .*Bilinear'>"),
    ],
)
def test_a_module_of_another_kind_is_named(family, sampler, message, size):
    with pytest.raises(stnkit.errors.InputError, match=f"^{message}$"):
        stnkit.warp(family, THETA, torch.rand(2, 1, 5, 6), sampler, size)


@pytest.mark.parametrize("name", ["affine", "velocity"])
@pytest.mark.parametrize("rows", [1, 3])
def test_one_theta_or_grid_is_wanted_for_each_image(name, rows):
    family = stnkit.build("transform", name)
    theta = family.identity().float()[None].expand(rows, -1)
    message = f"^theta or grid: expected a batch of 2, as the image, got {rows}$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.warp(family, theta, torch.rand(2, 1, 5, 6), BILINEAR)
    with pytest.raises(stnkit.errors.InputError, match=message):
        BILINEAR(torch.rand(2, 1, 5, 6), family.grid(theta, (4, 4)))


def test_a_sampler_of_ones_own_may_read_all_images_at_one_grid():
    class Mean(stnkit.Sampler):
        def forward(self, image, grid):
            means = image.mean(dim=(2, 3), keepdim=True)
            return means.expand(-1, -1, *grid.shape[1:3])

    image = torch.rand(2, 1, 5, 6)
    expected = image.mean(dim=(2, 3), keepdim=True).expand(-1, -1, 5, 6)
    torch.testing.assert_close(stnkit.warp(AFFINE, THETA[:1], image, Mean()), expected)


def test_a_compiled_family_is_one():
    image, compiled = torch.rand(2, 1, 5, 6), torch.compile(AFFINE, backend="eager")
    torch.testing.assert_close(stnkit.warp(compiled, THETA, image, BILINEAR), image)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_module_that_changes_the_grid_reads_it_as_changed(mode):
    class Spoiling(nn.Module):
        def forward(self, image, grid):
            grid[:, 0, 0] = torch.nan
            return BILINEAR(image, grid)

    with mode():
        warped = stnkit.warp(AFFINE, THETA.double(), torch.ones(2, 1, 5, 6, dtype=torch.float64), Spoiling())
    expected = torch.ones_like(warped)
    expected[:, :, 0, 0] = 0
    torch.testing.assert_close(warped, expected)


@pytest.mark.parametrize("size", [None, (5, 6)])
def test_a_module_of_ones_own_has_a_grid_and_no_more(size):
    class Mirror(nn.Module):
        def grid(self, theta, size):
            return AFFINE.grid(theta, size).flip(2)

    image = torch.rand(2, 1, 5, 6)
    torch.testing.assert_close(stnkit.warp(Mirror(), THETA, image, BILINEAR, size), image.flip(3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_grid_changed_by_its_array_is_read_as_changed(dtype):
    image, grid = torch.ones(2, 1, 5, 6, dtype=dtype), AFFINE.grid(THETA.to(dtype), (5, 6))
    grid.numpy()[:, 0, 0] = float("nan")
    expected = torch.ones_like(image)
    expected[:, :, 0, 0] = 0
    with stnkit.native.disabled():
        torch.testing.assert_close(BILINEAR(image, grid), expected)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_warp_that_failed_leaves_nothing_known_of_its_grid(mode):
    grids = []

    class Failing(stnkit.Sampler):
        def forward(self, image, grid):
            grids.append(grid)
            raise ArithmeticError("no")

    with mode(), stnkit.native.disabled():
        with pytest.raises(ArithmeticError, match="no"):
            stnkit.warp(AFFINE, THETA, torch.ones(2, 1, 5, 6), Failing())
        grids[0].numpy()[:, 0, 0] = float("nan")
        assert BILINEAR(torch.ones(2, 1, 5, 6), grids[0])[:, :, 0, 0].tolist() == [[0], [0]]
