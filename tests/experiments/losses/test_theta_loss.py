import pickle

import pytest
import torch
import torch.nn.functional as F

import stnkit
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.loop.stages import recorded_stages
from stnkit.experiments.loop.task import ObjectiveTask
from stnkit.experiments.losses.equivariance import Drawn, equivariance_error, warped
from stnkit.experiments.losses.supervision import supervision_error
from stnkit.experiments.losses.theta_loss import ThetaLoss
from stnkit.experiments.placement import build_network
from stnkit.experiments.schema import EquivarianceConfig, TrainingConfig
from tests.helpers import COMPONENTS

EQUIVARIANCE = TrainingConfig(equivariance=EquivarianceConfig(weight=2.0))
AUGMENTED = TrainingConfig(equivariance=EquivarianceConfig(weight=2.0, augment=True))
NONE = TrainingConfig(equivariance=EquivarianceConfig(weight=0.0))
SUPERVISION = TrainingConfig(supervision=0.5)
BOTH = TrainingConfig(supervision=0.5, equivariance=EquivarianceConfig(weight=2.0))


def rts():
    return stnkit.build("distortion", "rts", image_shape=(1, 10, 10), canvas=[14, 14])


def task(training, at=("input",), distortion="rts", parallel=1, **components):
    network = build_network(COMPONENTS | components, list(at), (1, 14, 14), 10, parallel)
    if distortion is not None:
        distortion = rts() if distortion == "rts" else stnkit.build("distortion", distortion, image_shape=(2, 28, 28))
    return ObjectiveTask(stnkit.build("objective", "classification", n_classes=10), network, training, 0, distortion)


def batch(n=5):
    theta = rts().sample(n, torch.Generator().manual_seed(1))
    again = torch.rand(n, 1, 14, 14)
    return Distorted(torch.rand(n, 1, 14, 14), torch.randint(0, 10, (n,)), theta, again=again)


@pytest.mark.parametrize("training", [EQUIVARIANCE, AUGMENTED, SUPERVISION, BOTH])
def test_the_loss_is_cross_entropy_plus_weighted_theta_losses(training):
    given = task(training)
    draws = torch.Generator().manual_seed(3)
    data = batch()
    seen = given.theta_loss.augment(data, draws)
    with recorded_stages(given.network) as stages:
        logits = given(seen.images)
    errors = given.theta_loss.errors(data, seen, stages.theta)
    assert errors.keys() == given.theta_loss.weights.keys()
    # A covariance over a batch may be negative.
    assert all(error.item() > 0 for name, error in errors.items() if name != "common_pose")
    doubled = 2 if training.equivariance.augment else 1
    assert len(logits) == len(seen.labels) == 5 * doubled
    total = given.training_step(data, 0)
    assert total.item() > F.cross_entropy(given(data.images), data.labels).item()
    total.backward()
    head = given.network.transformer.head
    assert head.weight.grad.norm() > 0
    assert head.offset.grad.norm() > 0


def test_warped_images_follow_the_batch_with_the_same_labels():
    data = batch()
    seen = task(AUGMENTED).theta_loss.augment(data, torch.Generator().manual_seed(3))
    assert torch.equal(seen.images[:5], data.images)
    assert not torch.equal(seen.images[5:], data.images)
    assert torch.equal(seen.labels, data.labels.repeat(2))


def test_a_step_is_repeated_exactly():
    data = batch()
    assert task(BOTH).training_step(data, 0).item() != task(NONE).training_step(data, 0).item()
    torch.manual_seed(0)
    first = task(BOTH).training_step(data, 0)
    torch.manual_seed(0)
    given = task(BOTH)
    torch.rand(7)  # what was drawn before does not matter
    assert given.training_step(data, 0).item() == first.item()


def test_without_weights_nothing_is_added():
    given = task(NONE)
    data = batch()
    assert not given.theta_loss.weights
    assert given.theta_loss.augment(data, torch.Generator()).images is data.images
    assert given.training_step(data, 0).item() == F.cross_entropy(given(data.images), data.labels).item()


def test_the_network_is_left_as_it_was():
    given = task(BOTH)
    hooks = len(given.network.transformer.theta_probe._forward_hooks)
    given.training_step(batch(), 0)
    assert len(given.network.transformer.theta_probe._forward_hooks) == hooks
    assert given.network.state_dict().keys() == task(NONE).network.state_dict().keys()
    pickle.loads(pickle.dumps(given.network))(batch().images)


def test_the_errors_of_an_epoch_are_means_over_its_images():
    given = task(BOTH)
    first, second = batch(5), batch(2)
    given.training_step(first, 0)
    expected = given.train_sums.state()
    given.training_step(second, 1)
    means = given.train_sums.compute()
    assert means["supervision"] == pytest.approx(given.train_sums.state()["supervision"].item() / 7)
    assert all(given.train_sums.state()[name] > expected[name] for name in ("equivariance", "supervision"))
    given.validation_step(first, 0)
    assert set(given.eval_sums.compute()) == {"loss", "error", "outside", "theta_distance"}


@pytest.mark.parametrize("stage", ["one pass", "two passes"])
def test_both_ways_to_see_warped_images_have_one_error(stage):
    training = EQUIVARIANCE if stage == "two passes" else AUGMENTED
    given, data = task(training).eval(), batch()
    torch.nn.init.normal_(given.network.transformer.head.weight, std=0.1)
    seen = given.theta_loss.augment(data, torch.Generator().manual_seed(3))
    with recorded_stages(given.network) as stages:
        given(seen.images)
    error = given.theta_loss.errors(data, seen, stages.theta)["equivariance"]
    again = warped(data.images, seen.warped.delta, given.network.transformer.sampler)
    both = [given.network.transformer.localize(images) for images in (data.images, again)]
    expected = equivariance_error(given.network.transformer.family, *both, seen.warped.delta)
    torch.testing.assert_close(error, expected)
    assert error.item() > 0


def test_a_warped_theta_that_is_not_finite_is_not_hidden():
    given, data = task(EQUIVARIANCE), batch()
    seen = given.theta_loss.augment(data, torch.Generator().manual_seed(3))
    lost = seen._replace(warped=seen.warped._replace(theta=torch.full((5, 6), torch.nan)))
    theta = given.network.transformer.localize(data.images)
    assert given.theta_loss.errors(data, lost, theta)["equivariance"].isnan()
    lost = seen._replace(theta_again=torch.full((5, 6), torch.nan))
    assert given.theta_loss.errors(data, lost, theta)["common_pose"].isnan()


@pytest.mark.parametrize(
    ("training", "options", "weight"),
    [
        ({}, {}, 10.0),
        ({}, {"distortion": None}, 0.0),
        ({}, {"distortion": "independent_channels"}, 0.0),
        ({}, {"at": ()}, 0.0),
        ({"supervision": 0.5}, {}, 0.0),
        ({"equivariance": EquivarianceConfig(weight=0.0)}, {}, 0.0),
        ({"equivariance": EquivarianceConfig(weight=3.0)}, {"distortion": None}, 3.0),
    ],
)
def test_the_default_weight_needs_a_milder_distortion(training, options, weight):
    assert task(TrainingConfig(**training), **options).theta_loss.weights.get("equivariance", 0.0) == weight


@pytest.mark.parametrize(
    ("options", "weight"),
    [
        ({}, 3.0),
        ({"weight": 0.5}, 3.0),
        ({"weight": 0.0}, 0.0),
        ({"degrees": 20.0}, 0.0),
        ({"common_pose": 0.0}, 0.0),
        ({"weight": 0.0, "common_pose": 2.0}, 2.0),
    ],
)
def test_a_common_pose_is_asked_for_with_delta_of_the_distortion(options, weight):
    loss = task(TrainingConfig(equivariance=EquivarianceConfig(**options))).theta_loss
    assert loss.weights.get("common_pose", 0.0) == weight
    assert loss.reads_again is (weight > 0)


def test_a_range_in_the_config_takes_precedence():
    own, given = (task(TrainingConfig(equivariance=EquivarianceConfig(degrees=d))).theta_loss for d in (None, 10.0))
    assert isinstance(own.augment(batch(), torch.Generator()).warped.delta, Drawn)
    delta = given.augment(batch(50), torch.Generator()).warped.delta
    assert torch.rad2deg(torch.atan2(delta.linear[:, 1, 0], delta.linear[:, 0, 0])).abs().max() <= 10.001


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("milder", "message"),
    [
        (lambda: 5, r"Wrong.milder\(\): expected a Distortion or None, got int"),
        (
            lambda: stnkit.build("distortion", "rotation", image_shape=(1, 9, 9)),
            r"expected one map for images of \[14, 14\], got Rotation of \[9, 9\]",
        ),
    ],
)
def test_a_milder_distortion_that_does_not_fit_is_refused(milder, message):
    class Wrong(type(rts())):
        def milder(self):
            return milder()

    network = build_network(COMPONENTS, ["input"], (1, 14, 14), 10)
    with pytest.raises(stnkit.errors.PluginError, match=message):
        ThetaLoss(TrainingConfig(), network, Wrong((1, 10, 10), canvas=[14, 14]))


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
        (SUPERVISION, {"parallel": 2}, "training.supervision: expected one .* at the input, got 2 in parallel"),
        (EQUIVARIANCE, {"parallel": 3}, "training.equivariance: expected one .* at the input, got 3 in parallel"),
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


@pytest.mark.parametrize("training", [SUPERVISION, EQUIVARIANCE])
@pytest.mark.parametrize("name", ["rotation", "pair"])
def test_losses_of_pairs_are_refused(training, name):
    network = build_network(COMPONENTS | {"network": {"name": "none"}}, ["input"], (2, 12, 12), None, pair=True)
    distortion = stnkit.build("distortion", name, image_shape=(2, 12, 12))
    with pytest.raises(stnkit.errors.InputError, match=r"^training.\w+: expected single images, got pairs$"):
        ThetaLoss(training, network, distortion)


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


@pytest.mark.parametrize(
    ("training", "options"),
    [
        ({}, {}),
        ({}, {"at": ()}),
        ({"supervision": 1.0}, {}),
        ({}, {"weight": 0.0}),
        ({}, {"weight": 1.0, "distortion": None}),
    ],
    ids=["milder", "no transformer", "supervised", "off", "on"],
)
def test_options_of_delta_are_taken_where_others_compare(training, options):
    weight = options.pop("weight", None)
    equivariance = EquivarianceConfig(weight=weight, augment=True, degrees=30.0)
    task(TrainingConfig(**training, equivariance=equivariance), **options).theta_loss.check_used()


def test_a_weight_of_the_common_pose_needs_no_equivariance():
    pose = EquivarianceConfig(common_pose=1.0)
    task(TrainingConfig(equivariance=pose), distortion=None).theta_loss.check_used()
