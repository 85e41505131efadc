import math

import pytest
import torch

import stnkit
from stnkit.experiments.losses.common_pose import common_pose_error
from tests.experiments.data.sharded import digits_under, whole_and_shards
from tests.helpers import metrics

ROTATION = stnkit.build("transform", "rotation")


def uniform(n, degrees, seed):
    return math.radians(degrees) * (2 * torch.rand(n, 1, generator=torch.Generator().manual_seed(seed)) - 1)


def test_it_is_zero_for_one_pose_and_the_variance_of_poses_else():
    n, poses = 40_000, 0.2 * torch.randn(40_000, 1, generator=torch.Generator().manual_seed(0))
    first, second = uniform(n, 60, 1), uniform(n, 60, 2)
    one_pose = common_pose_error(ROTATION, first, second)
    many = common_pose_error(ROTATION, first + poses, second + poses)
    # The mean map of uniform rotations is a rotation by the pose, shrunk by the sinc; poses vary as |R(c) − mean|².
    shrunk = (math.sin(math.radians(60)) / math.radians(60)) ** 2
    spread = shrunk * (1 - torch.exp(torch.tensor(-(0.2**2))))
    assert abs(float(one_pose)) < 0.01
    assert float(many) == pytest.approx(float(spread), abs=0.01)


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_one_pose_is_below_zero_by_half_the_variance_over_b(batch):
    # The expectation over all draws of ±s for each image, of variance s² in x; a translation has one shape.
    family, s = stnkit.build("transform", "translation"), 0.3
    draws = s * (2 * torch.cartesian_prod(*2 * batch * [torch.arange(2.0)]).view(-1, 2, batch, 1) - 1)
    pairs = torch.cat([draws, torch.zeros_like(draws)], dim=3)
    mean = sum(float(common_pose_error(family, *pair)) for pair in pairs) / len(pairs)
    assert mean == pytest.approx(-(s**2) / (2 * batch), rel=1e-5)


def test_it_is_symmetric_and_does_not_depend_on_a_common_zoom():
    family = stnkit.build("transform", "affine")
    first, second = (family.identity().float() + 0.2 * torch.randn(6, 6) for _ in range(2))
    first[:, [2, 5]] = second[:, [2, 5]] = 0
    error = common_pose_error(family, first, second)
    torch.testing.assert_close(common_pose_error(family, second, first), error)
    torch.testing.assert_close(common_pose_error(family, first / 3, second / 3), error)


def test_its_gradient_joins_poses_and_shrinks_no_map():
    n = 20_000
    pose = torch.where(torch.arange(n)[:, None] % 2 == 0, 0.3, -0.3).requires_grad_()
    slope = torch.ones((), requires_grad=True)
    error = common_pose_error(ROTATION, slope * uniform(n, 60, 1) + pose, slope * uniform(n, 60, 2) + pose)
    of_pose, of_slope = torch.autograd.grad(error, (pose, slope))
    assert float((of_pose * pose.detach().sign()).mean()) * n > 0.1
    # A penalty on the variance of the maps would pull on the slope with about the variance of the rotations, 0.7.
    assert abs(float(of_slope)) < 0.1


def test_value_and_gradient_are_those_of_the_formula():
    family = stnkit.build("transform", "affine")
    first, second = (
        (family.identity() + 0.2 * torch.randn(5, 6, dtype=torch.float64)).requires_grad_() for _ in range(2)
    )
    nodes = torch.cartesian_prod(*2 * [torch.tensor([-0.75, -0.25, 0.25, 0.75], dtype=torch.float64)])
    maps = [theta.view(-1, 2, 3) @ torch.cat([nodes, torch.ones(16, 1)], dim=1).T for theta in (first, second)]
    centers = [points.mean(dim=2) for points in maps]
    about = [points - center[:, :, None] for points, center in zip(maps, centers, strict=True)]

    def covariance(a, b):
        mean = (a.mean(dim=0) + b.mean(dim=0)) / 2
        return ((a - mean) * (b - mean)).sum() / len(a)

    extent = sum(points.square().sum() for points in about) / 2 / 5
    expected = covariance(*centers) + covariance(*about) / extent
    error = common_pose_error(family, first, second)
    torch.testing.assert_close(error, expected)
    torch.testing.assert_close(*(torch.autograd.grad(value, (first, second)) for value in (error, expected)))


@pytest.mark.parametrize("name", ["rotation", "translated_cluttered"])
def test_processes_see_the_second_draws_that_one_does(name):
    data = digits_under(name)
    assert whole_and_shards(data)[0].again is None
    data.distorts_twice = True
    whole, shards = whole_and_shards(data)
    assert whole.again.shape == whole.images.shape
    assert not torch.allclose(whole.again, whole.images, atol=0.1)
    torch.testing.assert_close(torch.cat([shard.again for shard in shards]), whole.again)


@pytest.mark.training
def test_a_run_records_it_and_a_range_turns_it_off(stnkit_main, tmp_path):
    quick = ("training.epochs=1", "training.progress=false", "training.batch_size=400", "distortion=rotation")
    for options, recorded in (((), True), (("training.equivariance.degrees=45",), False)):
        code, _, err = stnkit_main("train", *quick, *options, "hydra.run.dir=run", "overwrite=true")
        assert code == 0, err
        assert ("train_common_pose" in metrics(tmp_path / "run")["history"][0]) is recorded
