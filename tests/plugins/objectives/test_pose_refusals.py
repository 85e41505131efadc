"""Options, settings and targets that the objective `pose` refuses in one sentence."""

import pytest
import torch

import stnkit
from stnkit.objectives import Setting
from tests.plugins.objectives.pose_cases import Images, batch_of, built, prepared, rotation, rotations, still

InputError = stnkit.errors.InputError


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "pixels"}, "objective.target: expected one of distortion, theta, corners, or null, got 'pixels'"),
        ({"distance": "l3"}, "objective.distance: expected one of l1, l2, huber, got 'l3'"),
    ],
)
def test_options_of_pose_out_of_range_are_refused(options, message):
    with pytest.raises(InputError) as error:
        built("objective.pose", **options)
    assert message in str(error.value)


PAIRS = (2, 28, 28)
REFUSED = [
    (rotation, {"target": "theta", "target_shape": (4, 2)}, "a target of shape (6,) for each image, got (4, 2)"),
    (rotation, {"target": "corners", "target_shape": ()}, "a target of shape (4, 2) for each image, got ()"),
    (still, {"target_shape": (3, 2)}, "expected targets of shape (4, 2) for corners or (6,) for theta, got (3, 2)"),
    (still, {}, "a distortion that has one map for all channels, got one that moves nothing"),
    (
        lambda: built("distortion.independent_channels", image_shape=PAIRS),
        {"image_shape": PAIRS},
        "a distortion that has one map for all channels, got IndependentChannels",
    ),
    (
        lambda: rotation(PAIRS),
        {"image_shape": PAIRS, "pair": True},
        "a distortion that moves the images of each pair against each other, got Rotation",
    ),
    (
        lambda: rotation(PAIRS),
        {"image_shape": PAIRS, "pair": True, "target_shape": (4, 2)},
        "objective.target=corners: expected distortion=none, got Rotation",
    ),
    (
        lambda: built("distortion.homography_pair", image_shape=PAIRS),
        {"image_shape": PAIRS},
        "expected placement=pair for HomographyPair, got another placement",
    ),
]


@pytest.mark.parametrize(("distortion", "options", "message"), REFUSED, ids=range(len(REFUSED)))
def test_a_setting_without_truth_is_refused_in_one_sentence(distortion, options, message):
    with pytest.raises(InputError) as error:
        prepared(built("transform.affine"), distortion(), **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_targets_of_another_shape_are_refused_when_they_are_read():
    objective = prepared(built("transform.affine"), still(), target="corners")
    with pytest.raises(InputError, match=r"target of shape \(4, 2\) for each image, got \(8,\)"):
        objective.check_targets(torch.zeros(3, 8))


@pytest.mark.parametrize("dtype", [torch.bool, torch.complex64])
def test_targets_that_are_no_real_numbers_are_refused(dtype):
    objective = prepared(built("transform.affine"), still(), target_shape=(4, 2))
    with pytest.raises(InputError, match=rf"^objective.target=corners: expected targets of real numbers, got {dtype}$"):
        objective.check_targets(torch.zeros(3, 4, 2, dtype=dtype))


def test_a_network_without_a_transformer_is_refused():
    objective = built("objective.pose")
    with pytest.raises(InputError, match="expected one spatial transformer at the input, got none"):
        objective.prepare(Setting(Images((1, 28, 28)), rotation(), (1, 28, 28), None))


def test_a_batch_before_prepare_is_refused():
    with pytest.raises(InputError, match=r"expected a call of prepare"):
        built("objective.pose").measure(batch_of(rotations(0.0), rotations(0.0)))
