"""The objective `pose` against closed forms: batches made by hand, and short runs."""

import math

import numpy as np
import pytest
import torch

import stnkit
from tests.helpers import metrics, random_theta, trained
from tests.plugins.objectives.pose_cases import batch_of, built, prepared, rotation, rotations, still, still_theta

InputError = stnkit.errors.InputError
CORNERS = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])


def test_a_transformer_that_undoes_the_distortion_has_no_error():
    objective = prepared(built("transform.affine"), rotation())
    measured = objective.measure(batch_of(rotations(-30.0, 75.0), rotations(30.0, -75.0)))
    torch.testing.assert_close(measured["corner_error"], torch.zeros(2), atol=1e-4, rtol=0)
    assert float(objective.losses(batch_of(rotations(-30.0), rotations(30.0)))["loss"]) < 1e-5


def test_errors_of_rotations_are_chords_of_the_half_diagonal():
    objective = prepared(built("transform.affine"), rotation())
    left, total = np.array([10.0, 40.0]), np.array([30.0, -75.0])
    measured = objective.measure(batch_of(rotations(*(left - total)), rotations(*total)))
    for name, degrees in (("corner_error", left), ("corner_error_identity", total)):
        chord = 2 * np.abs(np.sin(np.radians(degrees) / 2)) * 14 * math.sqrt(2)
        np.testing.assert_allclose(measured[name], chord, rtol=1e-5)


def test_pixels_are_those_of_the_original_image():
    # A shift by 0.1 half images is 2 of 40 pixels along x, and 1 of 20 along y.
    distortion = built("distortion.none", image_shape=(1, 20, 40))
    true = distortion.family.identity().float()[None] + torch.tensor([[0, 0, 0.1, 0, 0, 0.1]])
    objective = prepared(built("transform.affine"), rotation((1, 20, 40)), image_shape=(1, 20, 40))
    measured = objective.measure(batch_of(rotations(0.0), true))
    torch.testing.assert_close(measured["corner_error"], torch.tensor([math.sqrt(5)]))
    # In halves of the shorter side.
    torch.testing.assert_close(
        objective.losses(batch_of(rotations(0.0), true))["loss"], torch.tensor(math.sqrt(5) / 10)
    )


@pytest.mark.parametrize("family", ["homography4", "projective"])
def test_of_a_pair_the_map_between_the_images_is_wanted(family):
    distortion = built("distortion.homography_pair", image_shape=(2, 192, 192))
    true = distortion.sample(5, torch.Generator().manual_seed(0))
    found = built(f"transform.{family}")
    objective = prepared(found, distortion, (2, 192, 192), pair=True)
    theta = true
    if family == "projective":
        theta = found.from_matrix(built("transform.homography4").matrix(true))
    measured = objective.measure(batch_of(theta, true))
    torch.testing.assert_close(measured["corner_error"], torch.zeros(5), atol=1e-3, rtol=0)
    # θ of homography4 are the moves of the corners, in half images of 64 pixels.
    moves = 64 * true.view(5, 2, 4).norm(dim=1).mean(dim=1)
    torch.testing.assert_close(measured["corner_error_identity"], moves)
    identity = found.identity().float().repeat(5, 1)
    torch.testing.assert_close(objective.measure(batch_of(identity, true))["corner_error"], moves)


def test_corners_of_the_targets_are_pixel_indices_x_first():
    # The output shows the rectangle of the image with x from 3 to 17 and y from 5 to 9, edges included.
    corners = torch.tensor([[2.5, 4.5], [17.5, 4.5], [2.5, 9.5], [17.5, 9.5]])
    objective = prepared(built("transform.affine"), still(), target_shape=(4, 2))
    window = torch.tensor([[15 / 28, 0, 20 / 28 - 1 + 1 / 28, 0, 5 / 28, 14 / 28 - 1 + 1 / 28]])
    objective.check_targets(corners[None])
    measured = objective.measure(batch_of(window, still_theta(1), corners[None]))
    torch.testing.assert_close(measured["corner_error"], torch.zeros(1), atol=1e-5, rtol=0)
    shifted = objective.measure(batch_of(window, still_theta(1), corners[None] + torch.tensor([3.0, 4.0])))
    torch.testing.assert_close(shifted["corner_error"], torch.tensor([5.0]))


def test_corners_of_a_distorted_image_are_those_in_the_original():
    objective = prepared(built("transform.affine"), rotation(), target_shape=(4, 2))
    whole = stnkit.coordinates.to_pixels(CORNERS, (28, 28)).float()[None]
    measured = objective.measure(batch_of(rotations(-20.0), rotations(20.0), whole))
    torch.testing.assert_close(measured["corner_error"], torch.zeros(1), atol=1e-4, rtol=0)


def test_the_theta_of_the_targets_is_wanted():
    family = built("transform.affine")
    objective = prepared(family, still(), target_shape=(6,))
    wanted = still_theta(2) + random_theta(family, batch=2).float()
    objective.check_targets(wanted)
    zero = objective.measure(batch_of(wanted, still_theta(2), wanted))["corner_error"]
    assert torch.equal(zero, torch.zeros(2))
    measured = objective.measure(batch_of(still_theta(2), still_theta(2), wanted))
    corners = np.array([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]])
    difference = (wanted - still_theta(2)).view(2, 2, 3).numpy() @ corners.T * 14
    np.testing.assert_allclose(measured["corner_error"], np.hypot(*difference.transpose(1, 0, 2)).mean(1), rtol=1e-5)


def test_volumes_have_eight_corners():
    family = built("transform.affine", ndim=3)
    objective = prepared(family, still((1, 8, 10, 12)), (1, 8, 10, 12), target_shape=(8, 3))
    corners = np.stack(np.meshgrid([-0.5, 7.5], [-0.5, 9.5], [-0.5, 11.5], indexing="ij"), -1)[..., ::-1].reshape(8, 3)
    targets = torch.from_numpy(corners.copy())[None] + torch.tensor([2.0, 3.0, 6.0])
    objective.check_targets(targets)
    measured = objective.measure(batch_of(still_theta(1, ndim=3), still_theta(1, ndim=3), targets))
    torch.testing.assert_close(measured["corner_error"], torch.tensor([7.0]))


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        ("l1", lambda d: np.abs(d).sum(-1)),
        ("l2", lambda d: np.hypot(*d.T).T),
        ("huber", lambda d: np.where((n := np.hypot(*d.T).T) < 0.05, n**2 / 0.1, n - 0.025)),
    ],
)
@pytest.mark.parametrize("scale", [0.01, 0.3])
def test_the_loss_is_the_mean_distance_in_half_images(distance, expected, scale):
    objective = prepared(built("transform.homography4"), still(), distance=distance, target="theta")
    moves = random_theta(built("transform.homography4"), scale=scale).float()
    loss = objective.losses(batch_of(torch.zeros(3, 8), still_theta(3), moves))["loss"]
    difference = moves.view(3, 2, 4).permute(0, 2, 1).reshape(12, 2).numpy()
    np.testing.assert_allclose(loss, expected(difference).mean(), rtol=2e-4)


@pytest.mark.parametrize("distance", ["l1", "l2", "huber"])
def test_gradients_are_finite_at_the_truth_and_beyond_horizons(distance):
    objective = prepared(built("transform.projective"), still(), distance=distance, target="theta")
    identity = built("transform.projective").identity().float()
    broken = identity.clone()
    broken[6:] = torch.tensor([-1.0, 0.0])  # a horizon through two corners
    theta = torch.stack([identity, broken]).requires_grad_()
    loss = objective.losses(batch_of(theta, still_theta(2), identity.repeat(2, 1)))["loss"]
    loss.backward()
    assert bool(loss.isfinite())
    assert bool(theta.grad.isfinite().all())
    error = objective.measure(batch_of(theta.detach(), still_theta(2), identity.repeat(2, 1)))["corner_error"]
    # No corner is farther than 10 half images of 14 pixels from the center along an axis.
    assert float(error[0]) == 0 < float(error[1]) < 14 * 11 * math.sqrt(2)


def test_images_that_equivariance_adds_do_not_count():
    objective = prepared(built("transform.affine"), rotation())
    batch = batch_of(torch.cat([rotations(-30.0), rotations(5.0)]), rotations(30.0))
    assert objective.measure(batch)["corner_error"].shape == (1,)
    assert float(objective.losses(batch)["loss"]) < 1e-5


def outlines_agree(objective, batch):
    lines = objective.outlines(batch)
    assert list(lines) == ["true place", "found"]
    true, found = lines.values()
    assert true.shape[::2] == found.shape[::2] == (len(batch.theta), 2)
    corners = found[:, torch.linspace(0, found.shape[1] - 1, 5).long()]
    true = true[:, torch.linspace(0, true.shape[1] - 1, 5).long()]
    torch.testing.assert_close(true, corners, atol=1e-4, rtol=0)
    return corners


def test_where_the_map_is_found_both_outlines_are_the_same():
    distortion = built("distortion.homography_pair", image_shape=(2, 192, 192))
    theta = distortion.sample(3, torch.Generator().manual_seed(0))
    objective = prepared(built("transform.homography4"), distortion, (2, 192, 192), pair=True)
    corners = outlines_agree(objective, batch_of(theta, theta))
    moves = theta.view(3, 2, 4)[..., [0, 1, 3, 2, 0]].mT
    torch.testing.assert_close(corners - torch.tensor([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1.0]]), moves)


def test_outlines_lie_in_the_distorted_image():
    affine = built("transform.affine")
    whole = stnkit.coordinates.to_pixels(CORNERS, (28, 28)).float().repeat(2, 1, 1)
    for target, targets in (("distortion", None), ("corners", whole), ("theta", still_theta(2))):
        objective = prepared(affine, rotation(), target=target)
        outlines_agree(objective, batch_of(rotations(-30.0, 75.0), rotations(30.0, -75.0), targets))


def test_volumes_have_no_outlines():
    objective = prepared(built("transform.affine", ndim=3), still((1, 8, 8, 8)), (1, 8, 8, 8), target_shape=(8, 3))
    assert objective.outlines(batch_of(still_theta(1, ndim=3), still_theta(1, ndim=3))) == {}


@pytest.mark.training
def test_a_short_run_turns_digits_upright(tmp_path):
    run = trained(
        tmp_path,
        *["objective=pose", "distortion=rotation", "distortion.degrees=45", "localizer=fully_connected"],
        *["training.epochs=4", "training.localizer_scale=1.0", "training.progress=false"],
    )
    record = metrics(run)
    assert record["test_corner_error"] < 0.8 * record["test_corner_error_identity"]


@pytest.mark.training
def test_corners_from_files_train_a_transformer(tmp_path):
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:16, :16]
    places = generator.uniform(4, 12, (200, 2))
    spots = np.exp(-((columns - places[:, :1, None]) ** 2 + (rows - places[:, 1:, None]) ** 2) / 8)
    corners = places[:, None] + np.array([[-4, -4], [4, -4], [-4, 4], [4, 4]])
    np.save(tmp_path / "images.npy", spots.astype("float32"))
    np.save(tmp_path / "targets.npy", corners.astype("float32"))
    run = trained(
        tmp_path,
        *["dataset=arrays", f"dataset.root={tmp_path}", "objective=pose"],
        *["localizer=fully_connected", "training.epochs=10", "training.batch_size=16", "training.progress=false"],
    )
    record = metrics(run)
    assert record["test_corner_error"] < 0.5 * record["test_corner_error_identity"]
