import pickle

import pytest
import torch
import torch.nn.functional as F

import stnkit
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.loop.stages import recorded_stages
from stnkit.experiments.loop.task import ObjectiveTask
from stnkit.experiments.losses.supervision import supervision_error
from stnkit.experiments.losses.theta_loss import ThetaLoss
from stnkit.experiments.placement import build_network
from stnkit.experiments.schema import EquivarianceConfig, TrainingConfig
from tests.helpers import COMPONENTS

EQUIVARIANCE = TrainingConfig(equivariance=EquivarianceConfig(weight=2.0))
SUPERVISION = TrainingConfig(supervision=0.5)
BOTH = TrainingConfig(supervision=0.5, equivariance=EquivarianceConfig(weight=2.0))


def rts():
    return stnkit.build("distortion", "rts", image_shape=(1, 10, 10), canvas=[14, 14])


def task(training, at=("input",), distortion="rts", **components):
    network = build_network(COMPONENTS | components, list(at), (1, 14, 14), 10)
    if distortion is not None:
        distortion = rts() if distortion == "rts" else stnkit.build("distortion", distortion, image_shape=(2, 28, 28))
    return ObjectiveTask(stnkit.build("objective", "classification", n_classes=10), network, training, 0, distortion)


def batch(n=5):
    theta = rts().sample(n, torch.Generator().manual_seed(1))
    return Distorted(torch.rand(n, 1, 14, 14), torch.randint(0, 10, (n,)), theta)


@pytest.mark.parametrize("training", [EQUIVARIANCE, SUPERVISION, BOTH])
def test_the_loss_is_cross_entropy_plus_weighted_theta_losses(training):
    given = task(training)
    draws = torch.Generator().manual_seed(3)
    data = batch()
    seen = given.theta_loss.augment(data, draws)
    with recorded_stages(given.network) as stages:
        logits = given(seen.images)
    errors = given.theta_loss.errors(data, seen.delta, stages.theta)
    assert errors.keys() == given.theta_loss.weights.keys()
    assert all(error.item() > 0 for error in errors.values())
    doubled = 2 if training.equivariance.weight else 1
    assert len(logits) == len(seen.labels) == 5 * doubled
    total = given.training_step(data, 0)
    assert total.item() > F.cross_entropy(given(data.images), data.labels).item()
    total.backward()
    head = given.network.transformer.head
    assert head.weight.grad.norm() > 0
    assert head.offset.grad.norm() > 0


def test_warped_images_follow_the_batch_with_the_same_labels():
    data = batch()
    seen = task(EQUIVARIANCE).theta_loss.augment(data, torch.Generator().manual_seed(3))
    assert torch.equal(seen.images[:5], data.images)
    assert not torch.equal(seen.images[5:], data.images)
    assert torch.equal(seen.labels, data.labels.repeat(2))


def test_a_step_is_repeated_exactly():
    data = batch()
    assert task(BOTH).training_step(data, 0).item() != task(TrainingConfig()).training_step(data, 0).item()
    torch.manual_seed(0)
    first = task(BOTH).training_step(data, 0)
    torch.manual_seed(0)
    given = task(BOTH)
    torch.rand(7)  # what was drawn before does not matter
    assert given.training_step(data, 0).item() == first.item()


def test_without_weights_nothing_is_added():
    given = task(TrainingConfig())
    data = batch()
    assert not given.theta_loss.weights
    assert given.theta_loss.augment(data, torch.Generator()).images is data.images
    assert given.training_step(data, 0).item() == F.cross_entropy(given(data.images), data.labels).item()


def test_the_network_is_left_as_it_was():
    given = task(BOTH)
    hooks = len(given.network.transformer.theta_probe._forward_hooks)
    given.training_step(batch(), 0)
    assert len(given.network.transformer.theta_probe._forward_hooks) == hooks
    assert given.network.state_dict().keys() == task(TrainingConfig()).network.state_dict().keys()
    pickle.loads(pickle.dumps(given.network))(batch().images)


def test_the_errors_of_an_epoch_are_means_over_its_images():
    given = task(BOTH)
    first, second = batch(5), batch(2)
    given.training_step(first, 0)
    expected = given.train_sums.state()
    given.training_step(second, 1)
    means = given.train_sums.compute()
    assert means["supervision"] == pytest.approx(given.train_sums.state()["supervision"].item() / 14)
    assert all(given.train_sums.state()[name] > expected[name] for name in ("equivariance", "supervision"))
    given.validation_step(first, 0)
    assert set(given.eval_sums.compute()) == {"loss", "error", "outside", "theta_distance"}


@pytest.mark.parametrize("name", ["affine", "tps", "similarity"])
def test_supervision_is_zero_for_the_inverse_of_the_distortion(name):
    distortion = rts()
    true_theta = distortion.sample(4, torch.Generator().manual_seed(0))
    undone = torch.linalg.inv(distortion.family.matrix(true_theta.double()))
    family = stnkit.build("transform", name)
    if name == "tps":
        control = family.identity().view(2, -1)
        theta = (undone[:, :2, :2] @ control + undone[:, :2, 2:]).flatten(start_dim=1)
    else:
        theta = family.from_matrix(undone)
    assert supervision_error(family, theta, distortion.family, true_theta).item() == pytest.approx(0, abs=1e-10)
    identity = family.identity().repeat(4, 1)
    assert supervision_error(family, identity, distortion.family, true_theta).item() > 0.1


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("training", "options", "message"),
    [
        (EQUIVARIANCE, {"at": ()}, "training.equivariance: expected one spatial transformer at the input, got none"),
        (SUPERVISION, {"at": ()}, "training.supervision: expected one spatial transformer at the input, got none"),
        (SUPERVISION, {"distortion": None}, "training.supervision: expected a distortion whose theta is one map of 2"),
        (
            SUPERVISION,
            {"distortion": "independent_channels"},
            "training.supervision: expected a distortion .* for all channels, got IndependentChannels",
        ),
    ],
)
def test_losses_that_do_not_fit_are_refused_in_one_sentence(training, options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        task(training, **options)


def test_equivariance_in_three_dimensions_is_refused():
    class Volumes(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.transformer = stnkit.SpatialTransformer(
                stnkit.build("localizer", "fully_connected", in_shape=(1, 4, 4, 4)),
                stnkit.build("transform", "affine", ndim=3),
                stnkit.build("sampler", "bilinear"),
            )

    with pytest.raises(stnkit.errors.InputError, match=r"equivariance: expected a transformer of 2 dimensions, got 3"):
        ThetaLoss(EQUIVARIANCE, Volumes(), None)
