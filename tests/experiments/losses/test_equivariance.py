import math

import pytest
import torch

import stnkit
from stnkit.experiments.losses.equivariance import draw_delta, equivariance_error, warped
from stnkit.experiments.schema import EquivarianceConfig

CPU = torch.device("cpu")
RANGE = EquivarianceConfig(weight=1.0, degrees=30.0, scale=1.3, shift=0.1)


def drawn(n=6, size=(28, 28), config=RANGE, seed=0):
    return draw_delta(n, config, size, torch.Generator().manual_seed(seed), CPU)


def as_matrix(delta):
    return stnkit.coordinates.homogeneous(delta.linear.double(), delta.shift.double())


def test_delta_is_a_similarity_in_pixels_in_the_configured_range():
    n, size = 4000, (20, 40)
    delta = drawn(n, size)
    pixels = torch.tensor([20.0, 10.0])  # of a unit of normalized x and y
    linear = delta.linear * pixels[:, None] / pixels
    degrees = torch.rad2deg(torch.atan2(linear[:, 1, 0], linear[:, 0, 0]))
    scale = torch.linalg.det(linear).sqrt()
    torch.testing.assert_close(linear @ linear.mT, scale[:, None, None].square() * torch.eye(2).expand(n, 2, 2))
    # A shift of the image, in shares of its sides: what Δ takes to its center.
    shift = torch.linalg.solve(delta.linear, -delta.shift) / 2
    for values, bound in ((degrees, 30), (scale.log(), math.log(1.3)), (shift[:, 0], 0.1), (shift[:, 1], 0.1)):
        assert values.abs().max() <= bound * 1.0001
        assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
        assert values.mean().item() == pytest.approx(0, abs=0.05 * bound)


def test_equal_seeds_draw_equal_deltas():
    first, again, other = drawn(), drawn(), drawn(seed=1)
    assert torch.equal(first.linear, again.linear)
    assert torch.equal(first.shift, again.shift)
    assert not torch.equal(first.shift, other.shift)


def test_a_warped_image_is_the_image_composed_with_delta():
    def smooth(points):
        return torch.exp(-4 * (points - torch.tensor([0.2, -0.1])).square().sum(dim=-1))

    size = (60, 80)
    lattice = stnkit.coordinates.lattice(size).view(1, -1, 2)
    delta = drawn(size=size)
    image = smooth(lattice).view(1, 1, *size).expand(6, 1, *size)
    got = warped(image, delta, stnkit.build("sampler", "bilinear", padding="border"))
    inside = (delta(lattice).abs() < 0.95).all(dim=-1)
    torch.testing.assert_close(got.view(6, -1)[inside], smooth(delta(lattice))[inside], atol=2e-3, rtol=0)
    assert inside.double().mean() > 0.5


@pytest.mark.parametrize("name", ["affine", "projective"])
def test_the_error_is_zero_where_both_outputs_are_the_same(name):
    family, delta = stnkit.build("transform", name), drawn()
    distortion = stnkit.build("distortion", "rts", image_shape=(1, 28, 28))
    true_theta = distortion.sample(6, torch.Generator().manual_seed(2))
    # The image is y∘D, and y∘D∘Δ once more warped; D⁻¹∘K and Δ⁻¹∘D⁻¹∘K show both as y∘K, in the pose K.
    pose = stnkit.coordinates.homogeneous(
        torch.tensor([[[0.8, 0.3], [-0.2, 1.1]]]).double(), torch.ones(1, 2).double() / 9
    )
    undone = torch.linalg.inv(distortion.family.matrix(true_theta.double())) @ pose
    theta, theta_warped = (family.from_matrix(m) for m in (undone, torch.linalg.inv(as_matrix(delta)) @ undone))
    assert equivariance_error(family, theta, theta_warped, delta).item() == pytest.approx(0, abs=1e-12)
    # Not the other way round, and not for a transformer that does not look.
    turned = family.from_matrix(as_matrix(delta) @ undone)
    for wrong in (theta, turned, family.from_matrix(undone @ torch.linalg.inv(as_matrix(delta)))):
        assert equivariance_error(family, theta, wrong, delta).item() > 0.01


def test_the_error_does_not_fall_with_the_size_of_the_maps():
    affine = stnkit.build("transform", "affine")
    turn = drawn(200, config=EquivarianceConfig(degrees=90.0, scale=1.0, shift=0.0))
    identity = affine.identity().repeat(200, 1)
    error = equivariance_error(affine, identity, identity, turn).item()
    # |R(δ)p − p|² = 2 (1 − cos δ) |p|², whose mean for U(−90°, 90°) is 2 − 4/π.
    assert error == pytest.approx(2 - 4 / math.pi, rel=0.1)
    assert equivariance_error(affine, identity / 7, identity / 7, turn).item() == pytest.approx(error)
    collapsed = equivariance_error(affine, identity * 0, identity * 0, turn)
    assert torch.isfinite(collapsed)


@pytest.mark.parametrize("transform", ["affine", "similarity", "tps", "rotation"])
def test_its_gradient_reaches_both_thetas_and_lowers_it(transform):
    family, delta = stnkit.build("transform", transform), drawn(16)
    thetas = family.identity().repeat(2, 16, 1).requires_grad_()
    optimizer = torch.optim.Adam([thetas], lr=0.03)
    first = equivariance_error(family, *thetas, delta)
    first.backward()
    assert (thetas.grad.flatten(start_dim=2).norm(dim=2) > 0).all()
    for _ in range(30):
        optimizer.step()
        optimizer.zero_grad()
        error = equivariance_error(family, *thetas, delta)
        error.backward()
    assert error.item() < 0.75 * first.item()


def test_under_autocast_it_is_computed_in_float32():
    affine, delta = stnkit.build("transform", "affine"), drawn()
    theta = affine.identity().float() + 0.1 * torch.randn(2, 6, 6)
    expected = equivariance_error(affine, *theta, delta)
    with torch.autocast("cpu", torch.bfloat16):
        got = equivariance_error(affine, *theta, delta)
        images = warped(torch.rand(6, 1, 28, 28), delta, stnkit.build("sampler", "bilinear"))
    assert got.dtype == images.dtype == torch.float32
    torch.testing.assert_close(got, expected, atol=0, rtol=1e-6)
