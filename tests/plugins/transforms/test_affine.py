import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F

import stnkit

SIZES = {2: [(6, 9), (1, 7), (7, 1)], 3: [(4, 5, 6), (1, 3, 2)]}
CASES = [(ndim, size) for ndim, sizes in SIZES.items() for size in sizes]


def random_theta(ndim, batch=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(batch, ndim * (ndim + 1), generator=generator, dtype=torch.float64)
    return (stnkit.build("transform", "affine", ndim=ndim).identity() + 0.3 * noise).to(dtype)


def random_image(size, batch=3, channels=2, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, channels, *size, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("ndim", "size"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_grid_equals_that_of_torch(ndim, size, dtype, tolerance):
    theta = random_theta(ndim, dtype=dtype)
    grid = stnkit.build("transform", "affine", ndim=ndim).grid(theta, size)
    expected = F.affine_grid(theta.view(3, ndim, ndim + 1), [3, 1, *size], align_corners=False)
    assert grid.dtype == dtype
    assert (grid - expected).abs().max() < tolerance


@pytest.mark.parametrize(("ndim", "size"), CASES)
def test_warp_and_its_gradients_equal_those_of_torch(ndim, size):
    family, sampler = stnkit.build("transform", "affine", ndim=ndim), stnkit.build("sampler", "bilinear")
    in_size = [n + 2 for n in size]
    weight = random_image(size, seed=2)
    results = []
    for ours in (True, False):
        theta = random_theta(ndim).requires_grad_()
        image = random_image(in_size).requires_grad_()
        if ours:
            warped = sampler(image, family.grid(theta, size))
        else:
            grid = F.affine_grid(theta.view(3, ndim, ndim + 1), [3, 2, *size], align_corners=False)
            warped = F.grid_sample(image, grid, align_corners=False)
        results.append((warped.detach(), *torch.autograd.grad((warped * weight).sum(), (image, theta))))
    for ours, theirs in zip(*results, strict=True):
        assert (ours - theirs).abs().max() < 1e-10


@pytest.mark.parametrize(("ndim", "size"), CASES)
def test_warp_by_a_pixel_matrix_equals_that_of_scipy(ndim, size):
    generator = torch.Generator().manual_seed(3)
    in_size = [n + 1 for n in size]
    image = random_image(in_size, batch=1, channels=1)
    matrix = torch.eye(ndim + 1, dtype=torch.float64)
    matrix[:-1] += 0.2 * torch.randn(ndim, ndim + 1, generator=generator, dtype=torch.float64)
    family = stnkit.build("transform", "affine", ndim=ndim)
    theta = family.from_matrix(stnkit.coordinates.normalized_matrix(matrix[None], in_size, size))
    warped = stnkit.build("sampler", "bilinear")(image, family.grid(theta, size))
    # SciPy has the axes of the array in order, so z before y before x.
    linear, shift = matrix[:-1, :-1].flip(0, 1).numpy(), matrix[:-1, -1].flip(0).numpy()
    expected = scipy.ndimage.affine_transform(
        image[0, 0].numpy(), linear, shift, output_shape=tuple(size), order=1, mode="grid-constant"
    )
    assert abs(warped[0, 0].numpy() - expected).max() < 1e-10
    assert abs(expected).max() > 0.1


@pytest.mark.parametrize("ndim", [1, 4])
def test_other_dimensions_are_refused(ndim):
    with pytest.raises(stnkit.errors.InputError, match="ndim: expected 2 or 3"):
        stnkit.build("transform", "affine", ndim=ndim)
