"""Registration: dissimilarity, penalties and errors of points against the map between the images of a pair."""

import re

import numpy as np
import pytest
import scipy.ndimage
import torch

import stnkit
from stnkit import similarity
from stnkit.objectives import Batch, Setting
from tests.helpers import metrics, trained

SIZES = {2: (20, 24), 3: (8, 10, 12)}
TRUTH = ["point_error", "point_error_before", "shown_error", "shown_error_before"]


def objective(**options):
    return stnkit.build("objective", "registration", **options)


def transformer(family, in_shape, **options):
    localizer = stnkit.build("localizer", "fully_connected", in_shape=in_shape)
    return stnkit.SpatialTransformer(
        localizer, family, stnkit.build("sampler", "bilinear"), sampled_channels=in_shape[0] // 2, **options
    )


def smooth(n, *shape):
    noise = np.random.default_rng(0).random((n, *shape))
    return torch.from_numpy(scipy.ndimage.gaussian_filter(noise, (0, 0, *[2.0] * (len(shape) - 1)))).float()


class Known(stnkit.Distortion):
    """A distortion between pairs whose θ a test chooses."""

    between_pair, channels_move_together = True, False

    def __init__(self, family, size):
        self.family, self.out_size = family, size

    def sample(self, n, generator):
        return self.family.identity().float().repeat(n, 1)

    def apply(self, images, theta, generator):
        raise NotImplementedError


def example(true_family, true_theta, family, theta, image, *, of, known=True):
    """The batch of a transformer with these θ, and `of` prepared for it; the fixed image is image ∘ T of the truth."""
    size, sampler = tuple(image.shape[2:]), stnkit.build("sampler", "bilinear")
    fixed = stnkit.warp(true_family, true_theta, image, sampler)
    straightened = stnkit.warp(family, theta, image, sampler)
    pair = torch.cat([image, fixed], dim=1)
    between = Known(true_family, size) if known else stnkit.build("distortion", "none", image_shape=pair.shape[1:])
    of.prepare(
        Setting(stnkit.build("dataset", "pairs"), between, tuple(pair.shape[1:]), transformer(family, pair.shape[1:]))
    )
    labels, draws = torch.zeros(len(image)), torch.Generator()
    return Batch(
        pair, labels, true_theta if known else None, theta, straightened, straightened, torch.nn.Identity(), draws
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_true_map_leaves_no_error_and_no_difference(ndim):
    family = stnkit.build("transform", "tps", ndim=ndim)
    true = (family.identity() + 0.06 * torch.randn(3, family.n_params)).float()
    registration = objective(bending=0.0)
    batch = example(family, true, family, true, smooth(3, 1, *SIZES[ndim]), of=registration)
    measured = registration.measure(batch)
    assert set(measured) == set(registration.figures) == {"dissimilarity", "dissimilarity_before", "folded", *TRUTH}
    assert all(len(values) == 3 for values in measured.values())
    for name in ("dissimilarity", "point_error", "shown_error"):
        assert float(measured[name].max()) < 1e-5 < 1e-4 < float(measured[f"{name}_before"].min())
    assert registration.losses(batch)["similarity"].item() < 1e-8


def test_errors_of_points_are_in_pixels_of_the_moving_image():
    family, (height, width) = stnkit.build("transform", "translation"), SIZES[2]
    # 3 pixels to the right and 4 down, of which one is found.
    true = torch.tensor([[3 * 2 / width, 4 * 2 / height]])
    registration = objective()
    batch = example(
        family, true, family, true * torch.tensor([1.0, 0.25]), smooth(1, 1, height, width), of=registration
    )
    measured = {name: values.item() for name, values in registration.measure(batch).items()}
    assert measured["point_error_before"] == pytest.approx(5, abs=1e-5)
    assert measured["shown_error_before"] == pytest.approx(5, abs=1e-5)
    assert measured["point_error"] == measured["shown_error"] == pytest.approx(3, abs=1e-5)


def test_shown_errors_leave_blank_pixels_out():
    family, size = stnkit.build("transform", "affine"), (9, 9)
    true = torch.tensor([[2.0, 0, 0, 0, 1, 0]])  # x grows with the distance from the center
    image = torch.zeros(1, 2, *size)
    image[0, :, 4, 6] = torch.tensor([1.0, 0.5])
    registration = objective()
    batch = example(family, true, family, true, image, of=registration)
    # The bright pixel of column 6 is shown at column 5, one pixel from the center, and at no other one.
    assert batch.fixed[0, 0].nonzero().tolist() == [[4, 5]]
    measured = registration.measure(batch)
    assert measured["shown_error_before"].item() == pytest.approx(1, abs=1e-5)
    assert measured["point_error_before"].item() == pytest.approx(np.abs(np.arange(9) - 4).mean(), abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_every_point_of_a_blank_image_counts_alike(value):
    family = stnkit.build("transform", "affine")
    theta = torch.tensor([[1.0, 0.1, 0, 0, 1, 0]])
    registration = objective()
    batch = example(family, theta, family, theta, torch.zeros(1, 1, 8, 8), of=registration)
    batch.images.fill_(value)
    measured = registration.measure(batch)
    torch.testing.assert_close(measured["shown_error_before"], measured["point_error_before"])


@pytest.mark.parametrize(
    ("options", "similarity"),
    [
        ({"similarity": "mse"}, similarity.mse),
        ({"similarity": "ncc", "window": 5}, lambda a, b: similarity.ncc(a, b, 5)),
        ({"similarity": "mi", "bins": 16}, lambda a, b: similarity.mutual_information(a, b, 16)),
    ],
)
@pytest.mark.parametrize("ndim", [2, 3])
def test_losses_are_the_similarity_and_weighted_penalties(ndim, options, similarity):
    family, size = stnkit.build("transform", "tps", ndim=ndim), SIZES[ndim]
    true, theta = (family.identity() + 0.06 * torch.randn(2, 3, family.n_params)).float()
    registration = objective(**options, bending=0.25, smoothness=0.5)
    batch = example(family, true, family, theta, smooth(3, 1, *size), of=registration)
    losses, measured = registration.losses(batch), registration.measure(batch)
    assert tuple(losses) == registration.terms == ("similarity", "bending", "smoothness")
    torch.testing.assert_close(losses["similarity"], similarity(batch.straightened, batch.fixed).mean())
    torch.testing.assert_close(losses["similarity"], measured["dissimilarity"].mean())
    torch.testing.assert_close(measured["dissimilarity_before"], similarity(batch.moving, batch.fixed))
    torch.testing.assert_close(losses["bending"], 0.25 * stnkit.bending_energy(family, theta, size).mean())
    # The displacement's derivatives by differences between neighbors, whose mean is nearly that at the pixels.
    moved = family.grid(theta.double(), size) - stnkit.coordinates.lattice(size, dtype=torch.float64)
    slopes = [torch.gradient(moved, spacing=2 / n, dim=axis)[0] for axis, n in enumerate(size, start=1)]
    roughness = sum(slope.square().sum(dim=-1).mean() for slope in slopes)
    assert losses["smoothness"].item() == pytest.approx(0.5 * roughness.item(), rel=0.1)


def test_an_affine_map_is_smooth_at_a_cost_and_does_not_bend():
    family = stnkit.build("transform", "affine")
    theta = torch.tensor([[1.5, 0.25, 0.5, 0, 1, 0]])
    registration = objective(bending=1.0, smoothness=1.0)
    losses = registration.losses(example(family, theta, family, theta, smooth(1, 1, 8, 8), of=registration))
    assert losses["bending"].item() < 1e-12
    assert losses["smoothness"].item() == pytest.approx(0.5**2 + 0.25**2)


def test_folds_are_a_percentage_and_weights_of_zero_cost_nothing():
    family = stnkit.build("transform", "affine")
    theta = torch.tensor([[1.0, 0, 0, 0, 1, 0], [-1.0, 0, 0, 0, 1, 0]])
    registration = objective(bending=0)
    batch = example(family, theta, family, theta, smooth(2, 1, 8, 8), of=registration)
    assert registration.measure(batch)["folded"].tolist() == [0, 100]
    assert registration.terms == tuple(registration.losses(batch)) == ("similarity",)


def test_differences_to_the_fixed_image_are_pictures():
    family = stnkit.build("transform", "translation")
    theta, registration = torch.tensor([[0.25, 0.0]]), objective()
    batch = example(family, theta, family, theta, smooth(1, 1, 8, 8), of=registration)
    pictures = registration.pictures(batch)
    torch.testing.assert_close(pictures["difference before"], (batch.moving - batch.fixed).abs())
    assert float(pictures["difference"].max()) < 1e-5 < float(pictures["difference before"].max())


def test_without_a_known_map_there_are_no_errors_of_points():
    family = stnkit.build("transform", "affine")
    theta = torch.tensor([[1.0, 0.1, 0, 0, 1, 0]])
    registration = objective()
    measured = registration.measure(
        example(family, theta, family, theta, smooth(1, 1, 8, 8), of=registration, known=False)
    )
    assert list(measured) == list(registration.figures) == ["dissimilarity", "dissimilarity_before", "folded"]
    assert registration.primary == "dissimilarity"


def test_images_that_equivariance_adds_are_trained_on_alone():
    family = stnkit.build("transform", "affine")
    theta = (family.identity() + 0.1 * torch.randn(4, 6)).float()
    registration = objective()
    whole = example(family, theta, family, theta, smooth(4, 1, 8, 8), of=registration)
    batch = Batch(**{**vars(whole), "true_theta": theta[:2]})
    assert all(len(values) == 2 for values in registration.measure(batch).values())
    torch.testing.assert_close(registration.losses(batch), registration.losses(whole))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"similarity": "ssd"}, "similarity.*ssd"),
        (
            {"similarity": "ncc", "window": 8},
            "window: expected an odd number of at least 3, or none, got 8",
        ),
        ({"similarity": "mi", "bins": 4}, "bins: expected at least 5, got 4"),
        ({"bending": -1.0}, "bending: expected a finite number of at least 0, got -1.0"),
        ({"smoothness": float("inf")}, "smoothness: expected a finite number of at least 0, got inf"),
    ],
)
def test_options_of_registration_out_of_range_are_refused(options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        objective(**options)


@pytest.mark.no_jaxtyping
def test_an_output_of_another_size_is_refused():
    family = stnkit.build("transform", "affine")
    setting = Setting(None, Known(family, (8, 8)), (2, 8, 8), transformer(family, (2, 8, 8), out_size=[4, 4]))
    message = r"out_size: expected null or \[8, 8\], the size of fixed images, for objective=registration, got \[4, 4\]"
    with pytest.raises(stnkit.errors.InputError, match=message):
        objective().prepare(setting)


QUICK = [
    "localizer=fully_connected",
    "training.batch_size=128",
    "training.progress=false",
    "training.localizer_scale=1",
]


@pytest.mark.training
def test_pairs_of_digits_are_registered_by_name_alone(tmp_path, capsys):
    shifts = "distortion.distortion={name: rts, canvas: [28, 28], degrees: 0, scale: [0.7, 0.7]}"
    sweep = "sweep_objective=test_point_error"
    run = trained(tmp_path, "dataset=pairs", "transform=translation", shifts, sweep, "training.epochs=6", *QUICK)
    found = metrics(run)
    assert re.search(r"^test dissimilarity \d", capsys.readouterr().out, re.MULTILINE)
    assert found["config"]["placement"]["pair"] is True
    assert found["config"]["network"]["name"] == "none"
    assert found["test_dissimilarity"] < 0.75 * found["test_dissimilarity_before"]
    assert found["test_folded"] == 0
    assert set(found["history"][0]) >= {f"validation_{name}" for name in ("dissimilarity", "folded", *TRUTH, "bending")}


@pytest.mark.training
def test_pairs_of_volumes_of_ones_own_are_registered(tmp_path):
    images = smooth(60, 1, 8, 9, 10)
    pairs = torch.cat([images, images.roll(1, dims=-1)], dim=1)
    np.save(tmp_path / "images.npy", pairs)
    np.save(tmp_path / "targets.npy", np.arange(60) % 2)
    options = ["dataset=arrays", f"dataset.root={tmp_path}", "dataset.pair=true", "objective=registration"]
    own = ["objective.similarity=ncc", "objective.window=5", "objective.bending=0", "objective.smoothness=0.01"]
    own.append("training.batch_size=8")
    run = trained(tmp_path, *options, *QUICK, *own, "transform=translation", "transform.ndim=3", "training.epochs=6")
    found = metrics(run)
    assert 0 < found["test_dissimilarity"] < 0.8 * found["test_dissimilarity_before"] < 1
    assert "test_point_error" not in found
