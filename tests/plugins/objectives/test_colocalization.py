"""The losses against double loops, random crops against the image's edges, and boxes against pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import stnkit
from stnkit.objectives import Batch, Setting
from stnkit_plugins.objectives.colocalization import OTHERS, intersection_over_union
from tests.helpers import metrics

SIZE, SHOWN = (24, 30), (10, 10)
LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 3])


class Recording(stnkit.Sampler):
    """A sampler that remembers its grids."""

    def __init__(self):
        super().__init__()
        self.grids, self.sampler = [], stnkit.build("sampler", "bilinear")

    def forward(self, image, grid):
        self.grids.append(grid)
        return self.sampler(image, grid)


class Constant(nn.Module):
    """An encoder that is the same for all images."""

    def forward(self, images):
        return torch.ones(len(images), 4)


def prepared(family="attention", distortion="translated_cluttered", **options):
    """An objective behind `prepare`, and its setting: images of 12×12 pixels on a canvas of 24×30."""
    dataset = stnkit.build("dataset", "digits")
    chosen = {"canvas": list(SIZE)} if distortion == "translated_cluttered" else {}
    warped = stnkit.build("distortion", distortion, image_shape=(2, 12, 12), **chosen)
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(2, *SIZE))
    transformer = stnkit.SpatialTransformer(localizer, stnkit.build("transform", family), Recording(), SHOWN)
    objective = stnkit.build("objective", "colocalization", **options)
    setting = Setting(dataset, warped, (2, *SIZE), transformer)
    objective.prepare(setting)
    return objective, setting


def windows(n, zoom=2.5, seed=0):
    """θ of `attention`: windows of any place and of about one size."""
    theta = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)) * torch.tensor([0.1, 0.4, 0.4])
    return theta - torch.tensor([np.log(zoom), 0, 0]).float()


def network():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(nn.Flatten(), nn.Linear(2 * SHOWN[0] * SHOWN[1], 5))


def batch(setting, theta, labels=LABELS, encoder=None, seed=0, true_theta=None):
    images = torch.rand(len(theta), 2, *SIZE, generator=torch.Generator().manual_seed(1))
    shown = setting.transformer.warp(images, theta)
    encoder = network() if encoder is None else encoder
    draws = torch.Generator().manual_seed(seed)
    return Batch(images, labels, true_theta, theta, shown, encoder(shown), encoder, draws)


def encodings(objective, given, seed=0):
    """Embeddings of the crops and of the random crops in NumPy, by the definition."""
    given.draws.manual_seed(seed)
    crops = [given.straightened, *objective.crops(given)]
    given.draws.manual_seed(seed)
    with torch.no_grad():
        values = np.concatenate([given.network(each).double().numpy() for each in crops])
    values = (values - values.mean(axis=0)) / np.sqrt(values.var(axis=0) + 1e-5)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values[: len(given.images)], values[len(given.images) :].reshape(-1, len(given.images), values.shape[1])


def hinges(objective, own, random, labels):
    """The two losses by loops over triplets."""
    triplets, classes = [], []
    for n, a in enumerate(own):
        for m, b in enumerate(own):
            if n == m or labels[n] != labels[m]:
                continue
            near = ((a - b) ** 2).sum()
            triplets += [max(0, near - ((a - r[n]) ** 2).sum() + objective.margin) for r in random]
            others = [own[k] for k in range(len(own)) if labels[k] != labels[n]]
            classes += [max(0, near - ((a - c) ** 2).sum() + objective.margin) for c in others]
    return np.mean(triplets), np.mean(classes)


def window_term(theta):
    """The term of squares of half side e^s about t in NumPy."""
    native = np.array([SHOWN[1] / SIZE[1], SHOWN[0] / SIZE[0]])
    half = np.exp(theta[:, :1])
    sizes = np.log(half / native) ** 2
    outside = [np.maximum(0, sign * theta[:, 1:] + half - 1) / (2 * native) for sign in (-1, 1)]
    return (sizes + outside[0] ** 2 + outside[1] ** 2).sum(axis=1).mean()


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


@pytest.mark.parametrize("shift", [(0, 0), (2, 3), (5, -1), (9, 9), (12, 0), (20, 20)])
def test_overlap_equals_the_share_of_pixels(shift):
    masks = np.zeros((2, 60, 60), dtype=bool)
    masks[0, 20:32, 20:32] = True
    masks[1, 20 + shift[1] : 32 + shift[1], 20 + shift[0] : 32 + shift[0]] = True
    box = torch.tensor([[[20.0, 20.0], [32.0, 32.0]]])
    found = intersection_over_union(box, box + torch.tensor(shift)).item()
    assert found == pytest.approx((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum(), abs=1e-6)


def test_boxes_without_content_or_number_overlap_nothing():
    box, point = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]]), torch.zeros(1, 2, 2)
    for other in (point, box * torch.nan):
        assert intersection_over_union(box, other).tolist() == [0.0]
    assert intersection_over_union(point, point).tolist() == [0.0]


def test_the_true_place_is_that_of_the_image_in_pixels():
    objective, setting = prepared()
    draws = torch.Generator().manual_seed(0)
    truth = setting.distortion.sample(7, draws)
    placed = stnkit.warp(
        setting.distortion.family, truth, torch.ones(7, 2, 12, 12), stnkit.build("sampler", "bilinear"), SIZE
    )
    theta = windows(7)
    window, place = objective.boxes(batch(setting, theta, true_theta=truth))
    for image, box in zip(placed[:, 0], place, strict=True):
        rows, columns = np.nonzero(image.numpy() > 0.5)
        expected = [[columns.min() - 0.5, rows.min() - 0.5], [columns.max() + 0.5, rows.max() + 0.5]]
        np.testing.assert_allclose(box.numpy(), expected, atol=1e-3)
    half = theta[:, :1].exp()
    corners = torch.stack([theta[:, 1:] - half, theta[:, 1:] + half], dim=1)
    torch.testing.assert_close(window, stnkit.coordinates.to_pixels(corners, SIZE))


@pytest.mark.parametrize(("pixels", "found"), [((0, 0), 100.0), ((2, -2), 100.0), ((4, 0), 0.0), ((3, 3), 0.0)])
def test_a_window_is_found_if_it_meets_most_of_the_place(pixels, found):
    """Of a square of 12 pixels a window shifted by (x, y) shares (12 − x)(12 − y) pixels."""
    objective, setting = prepared("affine")
    truth = setting.distortion.sample(1, torch.Generator().manual_seed(0)).double()
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[:2] = truth.view(2, 3)
    matrix = torch.linalg.inv(matrix)
    matrix[:2, 2] += 2 * torch.tensor(pixels, dtype=torch.float64) / torch.tensor([SIZE[1], SIZE[0]])
    theta = matrix[:2].reshape(1, 6).float()
    measured = objective.measure(batch(setting, theta, LABELS[:1], true_theta=truth.float()))
    common = (12 - abs(pixels[0])) * (12 - abs(pixels[1]))
    expected = common / (288 - common)
    assert measured["iou"].item() == pytest.approx(expected, abs=1e-4)
    if abs(expected - 0.5) > 1e-3:
        assert measured["found"].item() == (100.0 if expected > 0.5 else 0.0)
        assert (measured["found"].item() == found) or expected == 0.5


def test_figures_are_those_of_the_images_of_the_data():
    objective, setting = prepared()
    truth = setting.distortion.sample(3, torch.Generator().manual_seed(0))
    given = batch(setting, windows(6), LABELS[:6], true_theta=truth)
    assert {name: len(figure) for name, figure in objective.measure(given).items()} == {"found": 3, "iou": 3}
    assert [len(box) for box in objective.boxes(given)] == [3, 3]
    assert {name: line.shape for name, line in objective.outlines(given).items()} == {
        "window": (3, 65, 2),
        "true place": (3, 65, 2),
    }


def test_outlines_are_the_edges_of_the_boxes():
    objective, setting = prepared()
    truth = setting.distortion.sample(7, torch.Generator().manual_seed(0))
    given = batch(setting, windows(7), true_theta=truth)
    for line, box in zip(objective.outlines(given).values(), objective.boxes(given), strict=True):
        line = stnkit.coordinates.to_pixels(line, SIZE)
        torch.testing.assert_close(torch.stack([line.amin(dim=1), line.amax(dim=1)], dim=1), box, atol=1e-3, rtol=0)


def test_triplets_in_order_are_counted_where_no_place_is_known():
    objective, setting = prepared(distortion="independent_channels", random_crops=2)
    given = batch(setting, windows(7))
    assert objective.primary == "ordered"
    own, random = encodings(objective, given)
    expected = []
    for n, a in enumerate(own):
        partners = [own[m] for m in range(7) if m != n and LABELS[m] == LABELS[n]]
        right = [((a - b) ** 2).sum() < ((a - r[n]) ** 2).sum() for b in partners for r in random]
        expected.append(100 * np.mean(right) if right else 0.0)
    assert objective.measure(given)["ordered"].tolist() == pytest.approx(expected, abs=1e-3)
    assert objective.boxes(given)[1] is None
    assert list(objective.outlines(given)) == ["window"]


def test_the_transformer_stays_a_part_of_the_network_alone():
    objective, _ = prepared()
    assert list(objective.parameters()) == []
    assert objective.state_dict() == {}


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 0}, "features: expected a whole number of at least 1, got 0"),
        ({"random_crops": 0}, "random_crops: expected a whole number of at least 1, got 0"),
        ({"margin": 4.0}, "margin: expected a number above 0 and below 4, got 4.0"),
        ({"class_weight": -1.0}, "class_weight: expected a number of at least 0, got -1.0"),
        ({"window_weight": float("inf")}, "window_weight: expected a number of at least 0, got inf"),
        ({"random_weight": float("nan")}, "random_weight: expected a number of at least 0, got nan"),
    ],
)
def test_options_out_of_range_are_one_sentence(options, message):
    with pytest.raises(stnkit.errors.InputError) as error:
        stnkit.build("objective", "colocalization", **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["network=none"], "expected a network of 128 outputs, got network=none"),
        (["placement=none"], "expected one spatial transformer at the input, got placement.at=[]"),
        (["placement.parallel=2"], "expected one spatial transformer at the input, got 2 in parallel"),
    ],
)
def test_what_it_needs_of_the_network_is_one_sentence(words, message, stnkit_main):
    code, _, err = stnkit_main("train", "objective=colocalization", "training.progress=false", *words)
    assert code != 0
    assert f"objective=colocalization: {message}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((40,), "expected labels for colocalization, whole numbers of shape (N,)"),
        ((40, 2), "expected labels, one for each image, got targets of shape [2]"),
    ],
)
def test_targets_that_are_no_labels_are_one_sentence(stnkit_main, shape, sentence):
    np.save("images.npy", np.zeros((40, 1, 12, 12), dtype=np.uint8))
    np.save("targets.npy", np.zeros(shape, dtype=np.float32))
    words = ["dataset=arrays", "dataset.images=images.npy", "dataset.targets=targets.npy", "training.progress=false"]
    code, _, err = stnkit_main("train", "objective=colocalization", *words)
    assert code != 0
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.training
def test_the_experiment_trains_on_the_embedded_digits(stnkit_main):
    words = ["dataset=digits", "training.epochs=1", "training.batch_size=256", "training.progress=false"]
    code, _, err = stnkit_main("train", "experiment=colocalization", *words, "hydra.run.dir=alone")
    assert code == 0, err
    clutter = ["distortion.patches=16", "transform_init=null", "init_from=alone"]
    code, _, err = stnkit_main("train", "experiment=colocalization", *words, *clutter, "hydra.run.dir=clutter")
    assert code == 0, err
    for run, patches in (("alone", 0), ("clutter", 16)):
        record = metrics(Path(run))
        assert record["config"]["distortion"]["patches"] == patches
        assert set(record["figures"]) == {"found", "iou"}
        assert 0 < record["test_iou"] < 1
