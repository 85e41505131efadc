import pickle

import pytest
import torch
import torch.nn.functional as F

import stnkit
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.loop.task import Classification
from stnkit.experiments.losses.supervision import supervision_error
from stnkit.experiments.losses.theta_loss import ThetaLoss
from stnkit.experiments.placement import place
from stnkit.experiments.schema import EquivarianceConfig, TrainingConfig

PARTS = {
    "transform": {"name": "affine"},
    "localizer": {"name": "fully_connected"},
    "sampler": {"name": "bilinear"},
    "network": {"name": "paper_fcn"},
    "out_size": None,
}
EQUIVARIANCE = TrainingConfig(equivariance=EquivarianceConfig(weight=2.0))
SUPERVISION = TrainingConfig(supervision=0.5)
BOTH = TrainingConfig(supervision=0.5, equivariance=EquivarianceConfig(weight=2.0))


def rts():
    return stnkit.build("distortion", "rts", image_shape=(1, 10, 10), canvas=[14, 14])


def task(training, at=("input",), distortion="rts", **parts):
    network = place(PARTS | parts, list(at), (1, 14, 14), 10)
    if distortion is not None:
        distortion = rts() if distortion == "rts" else stnkit.build("distortion", distortion, image_shape=(2, 28, 28))
    return Classification(network, training, 0, distortion)


def batch(n=5):
    theta = rts().sample(n, torch.Generator().manual_seed(1))
    return Distorted(torch.rand(n, 1, 14, 14), torch.randint(0, 10, (n,)), theta)


@pytest.mark.parametrize("training", [EQUIVARIANCE, SUPERVISION, BOTH])
def test_the_loss_is_that_of_the_classes_plus_the_weighted_errors_of_theta(training):
    given = task(training)
    draws = torch.Generator().manual_seed(3)
    data = batch()
    seen = given.theta_loss.see(data, draws)
    with given.theta_loss.thetas() as thetas:
        logits = given(seen.images)
    errors = given.theta_loss.errors(data, seen.delta, thetas)
    assert errors.keys() == given.theta_loss.weights.keys()
    assert all(error.item() > 0 for error in errors.values())
    doubled = 2 if training.equivariance.weight else 1
    assert len(logits) == len(seen.labels) == 5 * doubled
    total = given.training_step(data, 0)
    assert total.item() > F.cross_entropy(given(data.images), data.labels).item()
    total.backward()
    head = given.network.transformer.head
    assert head.weight.grad.norm() > 0
    assert head.bias.grad.norm() > 0


def test_both_halves_are_classified_with_the_same_labels_and_the_first_half_is_the_batch():
    data = batch()
    seen = task(EQUIVARIANCE).theta_loss.see(data, torch.Generator().manual_seed(3))
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


def test_without_weights_nothing_is_added_and_nothing_is_hooked():
    given = task(TrainingConfig())
    data = batch()
    assert not given.theta_loss.weights
    assert given.theta_loss.see(data, torch.Generator()).images is data.images
    assert given.training_step(data, 0).item() == F.cross_entropy(given(data.images), data.labels).item()


def test_the_network_is_left_as_it_was():
    given = task(BOTH)
    hooks = len(given.network.transformer.theta._forward_hooks)
    given.training_step(batch(), 0)
    assert len(given.network.transformer.theta._forward_hooks) == hooks
    assert given.network.state_dict().keys() == task(TrainingConfig()).network.state_dict().keys()
    pickle.loads(pickle.dumps(given.network))(batch().images)


def test_the_errors_of_an_epoch_are_means_over_its_images():
    given = task(BOTH)
    first, second = batch(5), batch(2)
    given.training_step(first, 0)
    expected = given.train_sums[-2:].clone()
    given.training_step(second, 1)
    means = given._means(given.train_sums, "train")
    assert means["train_supervision"] == pytest.approx(given.train_sums[-1].item() / 14)
    assert (given.train_sums[-2:] > expected).all()
    assert "validation_supervision" not in given._means(torch.ones(5), "validation")


@pytest.mark.parametrize("name", ["affine", "tps", "similarity"])
def test_supervision_is_zero_for_the_inverse_of_the_distortion_in_any_family(name):
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
        (EQUIVARIANCE, {"at": ()}, "training.equivariance needs one spatial transformer at the input"),
        (SUPERVISION, {"at": ()}, "training.supervision needs one spatial transformer at the input"),
        (SUPERVISION, {"distortion": None}, "training.supervision needs a distortion whose theta is one map of 2"),
        (
            SUPERVISION,
            {"distortion": "independent_channels"},
            "training.supervision needs a distortion whose theta is one map of 2",
        ),
        (TrainingConfig(supervision=-1.0), {}, "training.supervision must be 0 or more, but -1.0"),
        (TrainingConfig(supervision=float("nan")), {}, "training.supervision must be 0 or more, but nan"),
        (
            TrainingConfig(equivariance=EquivarianceConfig(weight=-1.0)),
            {},
            "training.equivariance.weight must be 0 or more, but -1.0 was given",
        ),
        (
            TrainingConfig(equivariance=EquivarianceConfig(degrees=200.0)),
            {},
            "training.equivariance.degrees must be between 0 and 180, but 200.0",
        ),
        (
            TrainingConfig(equivariance=EquivarianceConfig(scale=0.5)),
            {},
            "training.equivariance.scale must be 1 or more, but 0.5",
        ),
        (
            TrainingConfig(equivariance=EquivarianceConfig(shift=float("inf"))),
            {},
            "training.equivariance.shift must be 0 or more, but inf",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(training, options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        task(training, **options)


def test_a_transformer_of_three_dimensions_has_no_equivariance_term():
    class Volumes(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.transformer = stnkit.SpatialTransformer(
                stnkit.build("localizer", "fully_connected", in_shape=(1, 4, 4, 4)),
                stnkit.build("transform", "affine", ndim=3),
                stnkit.build("sampler", "bilinear"),
            )

    with pytest.raises(stnkit.errors.InputError, match=r"training\.equivariance warps images of 2 dimensions"):
        ThetaLoss(EQUIVARIANCE, Volumes(), None)
