"""The losses of co-localization against double loops, and random crops against the image's edges."""

import numpy as np
import pytest
import torch
from torch import nn

import stnkit
from stnkit.objectives import Batch, Setting
from stnkit_plugins.objectives.colocalization import OTHERS
from tests.plugins.objectives.colocalization_cases import (
    LABELS,
    SHOWN,
    Constant,
    batch,
    encodings,
    hinges,
    prepared,
    window_term,
    windows,
)


@pytest.mark.parametrize(("margin", "random_crops"), [(0.5, 1), (1.0, 3)])
def test_both_hinges_equal_loops_over_triplets(margin, random_crops):
    weights = {"random_weight": 2.0, "class_weight": 3.0}
    objective, setting = prepared(margin=margin, random_crops=random_crops, **weights)
    given = batch(setting, windows(7))
    triplets, classes = hinges(objective, *encodings(objective, given), LABELS.tolist())
    found = objective.losses(given)
    assert found["classes"].item() == pytest.approx(3 * classes, rel=1e-4)
    trust = max(0, 1 - classes / margin)
    assert found["triplets"].item() == pytest.approx(2 * trust * triplets, rel=1e-4, abs=1e-6)
    assert found["window"].item() == pytest.approx(window_term(windows(7).double().numpy()), rel=1e-4)


def test_distances_are_of_float32_under_autocast():
    objective, setting = prepared()
    given = batch(setting, windows(7))
    encoded = given.network(torch.cat([given.straightened, given.straightened]))

    class Known(nn.Module):
        def forward(self, images):
            return encoded

    given = Batch(**{**vars(given), "network": Known()})
    expected = objective.distances(given)
    with torch.autocast("cpu", torch.bfloat16):
        found = objective.distances(given)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_of_pairs_no_true_place_is_known():
    _, single = prepared(distortion="rotation")
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(2, 12, 12))
    family, sampler = single.transformer.family, stnkit.build("sampler", "bilinear")
    transformer = stnkit.SpatialTransformer(localizer, family, sampler, SHOWN, sampled_channels=1)
    objective = stnkit.build("objective", "colocalization")
    objective.prepare(Setting(single.dataset, single.distortion, (2, 12, 12), transformer))
    assert objective.primary == "ordered"
    images, theta = torch.rand(7, 2, 12, 12, generator=torch.Generator().manual_seed(0)), windows(7)
    shown, encoder = transformer.warp(images[:, :1], theta), nn.Flatten()
    given = Batch(images, LABELS, None, theta, shown, encoder(shown), encoder, torch.Generator())
    assert objective.measure(given)["ordered"].shape == (7,)
    assert objective.boxes(given)[1] is None
    assert list(objective.outlines(given)) == ["window"]


def test_random_crops_count_in_full_without_the_other_classes():
    objective, setting = prepared(class_weight=0.0)
    given = batch(setting, windows(7))
    triplets, _ = hinges(objective, *encodings(objective, given), LABELS.tolist())
    found = objective.losses(given)
    assert found["triplets"].item() == pytest.approx(triplets, rel=1e-4)
    assert found["classes"].item() == 0


def test_random_crops_count_as_far_as_classes_are_told_apart():
    """A network that reads the label off the image: the hinge over classes is 0."""
    objective, setting = prepared()
    given = batch(setting, windows(7))
    told = torch.eye(4)[LABELS]

    class Told(nn.Module):
        def forward(self, images):
            n = len(images) - len(told)
            return torch.cat([told, torch.ones(n, 4)])

    given = Batch(**{**vars(given), "network": Told()})
    found = objective.losses(given)
    assert found["classes"].item() == 0
    given.draws.manual_seed(0)
    own, random = objective.distances(given)
    assert own[0, 2].item() == pytest.approx(0, abs=1e-5)
    assert random.min() > 0
    assert found["triplets"].item() == pytest.approx((1 - random).clamp(min=0)[[0, 1, 2, 4, 5]].mean().item(), abs=0.2)


def test_a_batch_larger_than_the_others_compares_the_next_ones():
    objective, setting = prepared()
    n = OTHERS + 20
    labels = torch.arange(n) % 2
    given = batch(setting, windows(n), labels)
    own, _ = encodings(objective, given)
    near = ((own[:, None] - own) ** 2).sum(axis=-1)
    expected = []
    for a in range(n):
        others = [(a + step) % n for step in range(1, OTHERS + 1)]
        far = np.array([near[a, k] for k in others if labels[k] != labels[a]])
        partners = [b for b in range(n) if b != a and labels[b] == labels[a]]
        expected += [np.maximum(0, near[a, b] - far + 1).mean() for b in partners]
    assert objective.losses(given)["classes"].item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_a_constant_embedding_costs_the_margin():
    objective, setting = prepared(margin=0.7, class_weight=0.0)
    given = batch(setting, windows(7), encoder=Constant())
    assert objective.losses(given)["triplets"].item() == pytest.approx(0.7)


def test_images_alone_in_their_class_make_no_triplet():
    objective, setting = prepared(window_weight=0.0)
    theta = windows(4).requires_grad_()
    loss = sum(objective.losses(batch(setting, theta, torch.arange(4))).values())
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(theta.grad, torch.zeros_like(theta))


def test_one_class_alone_is_trained_by_random_crops():
    objective, setting = prepared()
    theta = windows(4).requires_grad_()
    found = objective.losses(batch(setting, theta, torch.zeros(4, dtype=torch.int64)))
    assert found["classes"].item() == 0
    found["triplets"].backward()
    assert theta.grad.abs().max() > 0


@pytest.mark.parametrize(("zoom", "inside"), [(2.5, True), (0.5, False)])
def test_random_crops_are_the_window_at_a_place_inside(zoom, inside):
    objective, setting = prepared(random_crops=200)
    theta = windows(3, zoom)
    given = batch(setting, theta, LABELS[:3])
    own = setting.transformer.family.grid(theta, SHOWN)
    sampler = setting.transformer.sampler
    sampler.grids.clear()
    crops = objective.crops(given)
    assert len(crops) == len(sampler.grids) == 200
    shifts = torch.stack(sampler.grids) - own
    torch.testing.assert_close(shifts, shifts[:, :, :1, :1].expand_as(shifts), atol=1e-5, rtol=0)
    center = theta[:, 1:] + shifts[:, :, 0, 0]
    room = (1 - theta[:, :1].exp()).abs()
    assert bool((center.abs() <= room + 1e-5).all())
    assert inside == bool((theta[:, 0].exp() <= 1).all())
    # Uniform over all of the room.
    assert bool(((center / room).amax(dim=0) > 0.95).all())
    assert bool(((center / room).amin(dim=0) < -0.95).all())
    assert (center / room).std(dim=0).flatten().tolist() == pytest.approx([3**-0.5] * 6, abs=0.08)


def test_random_crops_follow_from_the_draws_alone():
    objective, setting = prepared()
    state = torch.get_rng_state()
    theta = windows(7)
    first, again, other = (objective.crops(batch(setting, theta, seed=seed))[0] for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_gradients_do_not_reach_theta_by_random_crops():
    objective, setting = prepared()
    theta = windows(7).requires_grad_()
    assert not objective.crops(batch(setting, theta))[0].requires_grad


def test_random_crops_have_three_dimensions_too():
    dataset = stnkit.build("dataset", "digits")
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(1, 8, 8, 8))
    family, sampler = stnkit.build("transform", "affine", ndim=3), stnkit.build("sampler", "bilinear")
    transformer = stnkit.SpatialTransformer(localizer, family, sampler, (4, 4, 4), transform_init={"zoom": 2})
    objective = stnkit.build("objective", "colocalization")
    distortion = stnkit.build("distortion", "none", image_shape=(1, 8, 8, 8))
    objective.prepare(Setting(dataset, distortion, (1, 8, 8, 8), transformer))
    images = torch.rand(4, 1, 8, 8, 8)
    theta = transformer.localize(images)
    shown, encoder = transformer.warp(images, theta), nn.Flatten()
    given = Batch(images, torch.zeros(4).long(), None, theta, shown, shown, encoder, torch.Generator())
    assert objective.crops(given)[0].shape == (4, 1, 4, 4, 4)
    assert bool(torch.isfinite(sum(objective.losses(given).values())))
    assert objective.outlines(given) == {}


@pytest.mark.parametrize(("scale", "center"), [(0.4, 0.0), (0.8, 0.1), (0.4, 0.9), (1.5, 0.0)])
def test_the_window_term_is_its_formula(scale, center):
    objective, setting = prepared(window_weight=2.0)
    theta = torch.tensor([[np.log(scale), center, -center]]).float()
    found = objective.losses(batch(setting, theta, LABELS[:1]))["window"].item()
    assert found == pytest.approx(2 * window_term(theta.double().numpy()), rel=1e-4)
