"""Shears: kornia's in pixels, and that they do not compose."""

import numpy as np
import pytest
import torch

import stnkit
from stnkit import coordinates

from .matrix_cases import Case, random_points

SIZE = (5, 6)
# kornia 0.9.0: shear(image, [[sx, sy]], align_corners=True) in float64, about the pixel (0, 0), with image =
# np.arange(30.0).reshape(5, 6) ** 1.5 % 7. The output is the image at [1 sx; sy 1]⁻¹ p.
KORNIA = {
    (0.25, 0.0): [
        [0.0, 1.0, 2.82842712474619, 5.19615242270663, 1.0, 4.18033988749895],
        [0.5227038425243, 3.56442899726386, 2.35062754284018, 4.90685424949238, 4.21708245126285, 2.017848670853],
        [3.28460969082652, 5.72069298134246, 4.12768499793352, 2.73897680397322, 1.54737509655563, 0.54639781775011],
        [1.59188309203678, 6.23041925792855, 5.72498972045249, 5.39056172351185, 5.22285387458334, 5.21789129613472],
        [0.0, 5.57550765359255, 6.0, 6.5745073534124, 0.29611541307907, 1.16207341961706],
    ],
    (0.0, -0.4): [
        [0.0, 2.40810367098085, 1.86761902332486, 5.21895003862225, 2.04911064067352, 0.09279563550022],
        [0.69693845669907, 4.66102213888402, 3.03204613146205, 2.72261807330353, 3.51348802966927, 5.30412503619254],
        [6.56921938165306, 5.25093191952824, 5.03081596296031, 4.24649475787393, 2.77290273821641, 2.16977940690063],
        [6.36753236814714, 5.89144795636368, 6.34814970272824, 0.23689233046325, 0.46482936784682, 0.0],
        [5.57550765359255, 3.6, 1.31490147068248, 0.0, 0.0, 0.0],
    ],
}


@pytest.mark.parametrize("factors", KORNIA)
def test_the_warp_about_a_corner_is_that_of_kornia(factors):
    inverse = torch.tensor([[1.0, -factors[0], 0], [-factors[1], 1, 0], [0, 0, 1]], dtype=torch.float64)
    matrix = coordinates.normalized_matrix(inverse, SIZE, SIZE)
    # The inverse of a shear along one axis is one, about a corner with a shift of the center.
    family = stnkit.build("transform", "compose", stages=["translation", "shear"])
    theta = torch.stack([matrix[0, 2], matrix[1, 2], matrix[0, 1], matrix[1, 0]])[None]
    image = torch.from_numpy(np.arange(30.0).reshape(1, 1, *SIZE) ** 1.5 % 7)
    warped = stnkit.warp(family, theta, image, stnkit.build("sampler", "bilinear"))[0, 0]
    assert (warped - torch.tensor(KORNIA[factors], dtype=torch.float64)).abs().max() < 1e-12


@pytest.mark.parametrize("ndim", [2, 3])
def test_shears_do_not_compose(ndim):
    family = stnkit.build("transform", "shear", ndim=ndim)
    theta = family.identity()[None]
    with pytest.raises(stnkit.errors.DoesNotComposeError, match=r"^Shear does not compose"):
        family.compose(theta, theta)
    with pytest.raises(stnkit.errors.DoesNotComposeError, match=r"^Shear does not compose"):
        family.from_matrix(torch.eye(ndim + 1, dtype=torch.float64)[None])


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_inverse_of_a_shear_and_its_grid_pass_gradcheck(ndim):
    case = Case("shear", None, {"ndim": ndim}, spread=0.4)
    family, theta = case.build(), case.theta(batch=2).requires_grad_()
    points = 0.3 * random_points(family, batch=2, n=4)
    assert torch.autograd.gradcheck(
        lambda theta, points: family.inverse(theta, points), (theta, points.requires_grad_())
    )
    assert torch.autograd.gradgradcheck(lambda theta: family.grid(theta, (2, 3, 2)[-ndim:]), (theta[:1],))


def test_a_shear_that_collapses_the_image_has_no_inverse():
    family = stnkit.build("transform", "shear")
    points = torch.tensor([[[0.5, 0.5]]], dtype=torch.float64)
    assert family.inverse(torch.tensor([[2.0, 0.5]], dtype=torch.float64), points).isnan().all()


def test_each_row_is_shifted_by_pixels_more_than_the_last():
    grid = stnkit.build("transform", "shear").grid(torch.tensor([[0.3, 0.0]], dtype=torch.float64), (20, 50))
    x = stnkit.coordinates.to_pixels(grid, (20, 50))[0, ..., 0]
    torch.testing.assert_close(x.diff(dim=0), torch.full((19, 50), 0.3 * 50 / 20, dtype=torch.float64))
