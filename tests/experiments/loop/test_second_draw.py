import pytest
import torch

import stnkit
from stnkit.errors import InputError
from stnkit.experiments.data.augmentation import build_augmentation
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.loop.second_draw import draws_anew
from stnkit.experiments.losses.theta_loss import ThetaLoss
from stnkit.experiments.placement import build_network
from stnkit.experiments.schema import EquivarianceConfig, TrainingConfig
from tests.helpers import COMPONENTS

DIGITS = stnkit.build("dataset", "digits")
NONE = {"name": "none"}
STILL = {"name": "rotation", "degrees": 0.0}
TURNED = {"name": "rotation", "degrees": 10.0}


class Speckled(stnkit.Distortion):
    """Noise that θ does not describe."""

    def __init__(self, out_size, std):
        self.family, self.out_size, self.std = stnkit.build("transform", "affine"), out_size, std

    def sample(self, n, generator):
        return self.family.identity().float().repeat(n, 1)

    def apply(self, images, theta, generator):
        return images + self.std * torch.randn(images.shape, generator=generator, device=images.device)


class Seldom(Speckled):
    """A translation of one image in 200."""

    def sample(self, n, generator):
        theta = super().sample(n, generator)
        theta[:, 2] = 0.1 * (torch.rand(n, generator=generator) < 0.005)
        return theta


def data(distortion, augmentation=None):
    if not isinstance(distortion, stnkit.Distortion):
        distortion = stnkit.build("distortion", distortion, image_shape=DIGITS.image_shape)
    return DistortedData(DIGITS, distortion, 8, 0, augmentation=build_augmentation(augmentation, DIGITS.image_shape))


def loss(given, common_pose=None, weight=None):
    training = TrainingConfig(equivariance=EquivarianceConfig(common_pose=common_pose, weight=weight))
    network = build_network(COMPONENTS, ["input"], given.in_shape, 10)
    return ThetaLoss(training, network, given.distortion, lambda: draws_anew(given))


@pytest.mark.parametrize(
    ("distortion", "augmentation", "drawn"),
    [
        (NONE, None, False),
        (STILL, None, False),
        ({"name": "rts", "degrees": 0.0, "scale": [1.0, 1.0], "canvas": [28, 28]}, None, False),
        ({"name": "elastic", "std": 0.0, "scale": [1.0, 1.0]}, None, False),
        (STILL, STILL, False),
        (Speckled((28, 28), 0.0), None, False),
        (TURNED, None, True),
        ({"name": "elastic", "std": 0.5}, None, True),
        (Speckled((28, 28), 0.1), None, True),
        (Seldom((28, 28), 0.0), None, True),
        (NONE, TURNED, True),
        (STILL, TURNED, True),
    ],
)
def test_it_is_drawn_where_two_images_of_an_original_differ(distortion, augmentation, drawn):
    assert draws_anew(data(distortion, augmentation)) is drawn


@pytest.mark.parametrize(("distortion", "name"), [(NONE, "NoDistortion"), (STILL, "Rotation")])
def test_a_common_pose_of_equal_images_is_refused(distortion, name):
    sentence = (
        f"^training.equivariance.common_pose: expected 0 or null for {name}, which draws the same image every time, "
        r"got 3\.0$"
    )
    with pytest.raises(InputError, match=sentence):
        loss(data(distortion), common_pose=3.0).check_used()
    loss(data(distortion), common_pose=0.0).check_used()
    loss(data(TURNED), common_pose=3.0).check_used()


@pytest.mark.parametrize("distortion", [NONE, STILL])
def test_by_default_there_is_none_of_equal_images(distortion):
    given = loss(data(distortion), weight=10.0)
    given.check_used()
    assert given.weights == {"equivariance": 10.0}
    assert not given.reads_again


def test_its_default_stays_where_images_are_drawn():
    assert loss(data(TURNED)).weights == {"equivariance": 10.0, "common_pose": 3.0}
