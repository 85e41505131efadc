import numpy as np
import pytest
import scipy.ndimage
import torch

import stnkit
from stnkit.objectives import Batch, Setting

BLURS = [3.0, 1.0, 0.0]
SHAPE = (1, 12, 12)


def transformer_of(family="similarity", shape=SHAPE, out_size=None, **options):
    ndim = len(shape) - 1
    return stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=shape),
        stnkit.build("transform", family, **options),
        stnkit.build("sampler", "bilinear"),
        out_size and (out_size,) * ndim,
    )


def prepared(transformer=None, shape=SHAPE, n_classes=3, **options):
    transformer = transformer or transformer_of(shape=shape)
    objective = stnkit.build("objective", "alignment", n_classes=n_classes, **options)
    distortion = stnkit.build("distortion", "none", image_shape=shape)
    objective.prepare(Setting(stnkit.build("dataset", "digits"), distortion, shape, transformer))
    return objective


def batch_of(images, straightened=None, labels=None, theta=None):
    straightened = images if straightened is None else straightened
    labels = torch.zeros(len(images), dtype=torch.int64) if labels is None else labels
    network = torch.nn.Identity()
    draws = torch.Generator().manual_seed(0)
    return Batch(images, labels, None, theta, straightened, straightened, network, draws)


def blobs(n, size=12, seed=0):
    """Smooth random images that are black at the edges, so that moving them a little loses nothing."""
    draws = np.random.default_rng(seed)
    images = scipy.ndimage.gaussian_filter(draws.uniform(size=(n, 1, size, size)) - 0.3, (0, 0, 1.5, 1.5)).clip(0)
    images[..., [0, 1, -2, -1], :] = images[..., [0, 1, -2, -1]] = 0
    return torch.from_numpy(images / images.max()).float()


def digits(n):
    images, _ = stnkit.build("dataset", "digits").split("test")
    return images[:n].float() / 255


def blurred(images, sigma):
    return np.stack([[scipy.ndimage.gaussian_filter(c, sigma) for c in image] for image in images])


def share(images, straightened, templates):
    """1 − (D − N) / max(D, D₀/2) of each image, mean over the blurs, pixel by pixel."""
    found = []
    for sigma in BLURS:
        ours, before, template = (blurred(x.astype(float), sigma) for x in (straightened, images, templates))
        within = ((ours - template) ** 2).mean(axis=(1, 2, 3))
        total, own = (((x - x.mean()) ** 2).mean() for x in (ours, before))
        found.append(1 - (total - within) / max(total, own / 2))
    return np.mean(found, axis=0)


def test_loss_and_figure_are_those_of_scipy_gaussian_filter():
    images, straightened, labels = blobs(9), blobs(9, seed=1), torch.tensor([0, 1, 2, 0, 1, 2, 0, 0, 2])
    objective = prepared(groups="labels", blurs=BLURS)
    batch = batch_of(images, straightened, labels)
    loss = objective.losses(batch)["alignment"].item()
    templates = np.stack([straightened[labels == k].numpy().mean(axis=0) for k in labels])
    expected = share(images.numpy(), straightened.numpy(), templates)
    assert loss == pytest.approx(expected.mean(), abs=1e-5)
    measured = objective.measure(batch)
    np.testing.assert_allclose(measured["variance"].numpy(), expected, atol=1e-5)
    before = np.stack([images[labels == k].numpy().mean(axis=0) for k in labels])
    np.testing.assert_allclose(measured["variance_identity"], share(images.numpy(), images.numpy(), before), atol=1e-5)


def test_templates_are_running_means_of_each_group():
    objective, expected = prepared(groups="labels", momentum=0.8), {}
    for step in range(9):
        images = blobs(6, seed=step)
        labels = torch.tensor([0, 0, 1, 1, 1, 1]) if step % 3 else torch.tensor([0, 2, 2, 2, 0, 0])
        objective.losses(batch_of(images, labels=labels))
        for k in labels.unique().tolist():
            before, n = expected.get(k, (0.0, 0))
            rate = max(0.2, 1 / (n + 1))
            expected[k] = (1 - rate) * before + rate * images[labels == k].mean(dim=0), n + 1
    assert sorted(expected) == [0, 1, 2]
    for k, (template, _) in expected.items():
        torch.testing.assert_close(objective.straightened_templates[k], template)
        torch.testing.assert_close(objective.images_templates[k], template)


def test_images_that_are_alike_within_their_group_have_none():
    prototypes, labels = blobs(3), torch.arange(3).repeat(4)
    for groups, none in (("labels", True), ("all", False)):
        objective = prepared(groups=groups)
        loss = objective.losses(batch_of(prototypes[labels], labels=labels))["alignment"].item()
        assert (abs(loss) < 1e-5) == none
        assert none or loss > 0.1


# θ of a similarity for all images, and the least that the first loss alone has there.
COLLAPSES = {
    "outside": ([0.0, 0.0, 5.0, 0.0], 1.0),
    "one pixel": ([0.0, -20.0, 0.0, 0.0], 1.0),
    "an edge": ([0.0, -2.3, 0.4, 0.0], 0.7),
    "small": ([0.0, 1.5, 0.0, 0.0], 0.95),
    "a point": ([0.0, 4.0, 0.0, 0.0], 0.99),
}


@pytest.mark.parametrize("name", COLLAPSES)
def test_no_collapse_wins_over_images_as_they_are(name):
    transformer, images = transformer_of(shape=(1, 28, 28)), digits(64)

    def losses(theta):
        theta = torch.tensor(theta).repeat(len(images), 1)
        objective = prepared(transformer, shape=(1, 28, 28))
        return objective.losses(batch_of(images, transformer.warp(images, theta), theta=theta))

    theta, least = COLLAPSES[name]
    assert losses(theta)["alignment"].item() >= least - 1e-4
    assert losses([0.0] * 4)["alignment"].item() < 0.3
    # Of a collapse the logarithm is bounded.
    assert losses(theta)["zoom"].item() >= min(theta[1] ** 2, 40) - 1e-3


def test_constant_images_explain_nothing():
    images = blobs(8)
    constant = images.amax(dim=(1, 2, 3), keepdim=True).expand_as(images)
    assert prepared().losses(batch_of(images, constant))["alignment"].item() >= 1 - 1e-5
    measured = prepared().measure(batch_of(images, torch.zeros_like(images)))["variance"]
    torch.testing.assert_close(measured, torch.ones(8))


def test_blank_images_have_finite_gradients():
    images = torch.zeros(4, *SHAPE)
    straightened, theta = images.clone().requires_grad_(), torch.zeros(4, 4).requires_grad_()
    sum(prepared().losses(batch_of(images, straightened, theta=theta)).values()).backward()
    assert straightened.grad.isfinite().all()
    assert theta.grad.isfinite().all()


@pytest.mark.parametrize("unit", [1e-12, 1e-4, 1e6, 1e12])
def test_loss_and_figures_are_blind_to_the_unit_of_images(unit):
    images, straightened, found = blobs(6), blobs(6, seed=1).requires_grad_(), []
    for scale in (1.0, unit):
        objective, batch = prepared(), batch_of(scale * images, scale * straightened)
        loss = objective.losses(batch)["alignment"]
        found.append([loss, *objective.measure(batch).values(), 1e3 * torch.autograd.grad(loss, straightened)[0]])
    for expected, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("unit", [1e-12, 1e-4, 1.0, 1e12])
def test_images_of_roundings_are_blank_in_any_unit(unit):
    images = unit * (0.7 + 1e-7 * torch.rand(8, *SHAPE, generator=torch.Generator().manual_seed(0)))
    batch, objective = batch_of(images), prepared()
    found = torch.cat([objective.losses(batch)["alignment"][None], *objective.measure(batch).values()])
    torch.testing.assert_close(found, torch.ones(17), atol=1e-2, rtol=0)


def test_gradient_of_the_loss_is_that_of_finite_differences():
    images, straightened = blobs(3, size=6).double(), blobs(3, size=6, seed=1).double()
    objective = prepared(shape=(1, 6, 6), blurs=[1.5, 0.0]).double().eval()
    objective.losses(batch_of(images, straightened))
    # With templates of its own: those of the batch would depend on it.
    objective.updates += 1
    objective.straightened_templates += 0.1

    def loss(pixels):
        return objective.losses(batch_of(images, pixels))["alignment"]

    assert torch.autograd.gradcheck(loss, straightened.requires_grad_())


@pytest.mark.parametrize("scales", [[0.3, 0.3], [0.5, -0.5], [-1.0, 0.2]])
def test_zoom_is_the_squared_mean_log_scale_of_a_similarity(scales):
    theta = torch.tensor([[1.0, s, 0.2, -0.1] for s in scales])
    loss = prepared(zoom=3.0).losses(batch_of(blobs(2), theta=theta))["zoom"].item()
    assert loss == pytest.approx(3 * np.mean(scales) ** 2, abs=1e-5)


def test_rotations_do_not_zoom():
    objective = prepared(transformer_of("rotation"))
    loss = objective.losses(batch_of(blobs(2), theta=torch.tensor([[1.0], [-2.0]])))["zoom"].item()
    assert loss == pytest.approx(0, abs=1e-10)


def test_blurs_follow_one_by_one_from_coarse_to_fine():
    objective, shown = prepared(blurs=[4, 2, 0], steps=4), []
    for _ in range(6):
        shown.append([round(weight, 4) for weight in objective.weights.tolist()])
        objective.losses(batch_of(blobs(2)))
    third = round(1 / 3, 4)
    assert shown == [[1, 0, 0], [0.6667, third, 0], [0.5, 0.5, 0], [0.4, 0.4, 0.2], [third] * 3, [third] * 3]


def test_evaluation_changes_nothing():
    objective = prepared(steps=5)
    objective.losses(batch_of(blobs(4)))
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    objective.eval()
    objective.losses(batch_of(blobs(4, seed=1)))
    objective.measure(batch_of(blobs(4, seed=1)))
    for name, value in objective.state_dict().items():
        assert torch.equal(value, before[name])


def test_goes_on_exactly_from_its_state():
    def run(objective, steps):
        labels = torch.tensor([0, 1, 2, 1])
        return [objective.losses(batch_of(blobs(4, seed=s), labels=labels))["alignment"].item() for s in steps]

    options = {"groups": "labels", "steps": 5, "momentum": 0.7}
    whole, first, second = (prepared(**options) for _ in range(3))
    expected = run(whole, range(6))
    run(first, range(3))
    second.load_state_dict(first.state_dict())
    assert run(second, range(3, 6)) == expected[3:]
    for name, value in whole.state_dict().items():
        assert torch.equal(second.state_dict()[name], value)


def test_an_output_of_another_size_is_blurred_in_its_own_pixels():
    transformer, images = transformer_of(shape=(1, 24, 24), out_size=12), blobs(4, size=24)
    objective = prepared(transformer, shape=(1, 24, 24), blurs=[1.0])
    theta = torch.zeros(4, 4)
    objective.losses(batch_of(images, transformer.warp(images, theta), theta=theta))
    # A blur of 1 pixel of the output is one of 2 of the image: both variances are nearly the same.
    assert objective.total[0] == pytest.approx(objective.total[1], rel=0.05)
    assert objective.straightened_templates.shape == (1, 1, 12, 12)


def test_volumes_are_aligned_too():
    shape = (2, 5, 6, 7)
    transformer = transformer_of("affine", shape, ndim=3)
    images, draws = torch.rand(3, *shape), torch.Generator().manual_seed(0)
    objective = prepared(transformer, shape, blurs=BLURS)
    theta = transformer.family.identity().float() + 0.1 * torch.randn(3, 12, generator=draws)
    losses = objective.losses(batch_of(images, theta=theta))
    linear = theta.view(3, 3, 4)[:, :, :3]
    assert losses["zoom"].item() == pytest.approx((linear.det().abs().log().mean() / 3).square().item(), abs=1e-5)
    # The mean over the channels of the total variance, where `share` takes that of both together.
    within, total = images - images.mean(dim=0), images - images.mean(dim=(0, 2, 3, 4), keepdim=True)
    expected = [
        (blurred(within.numpy(), sigma) ** 2).mean() / (blurred(total.numpy(), sigma) ** 2).mean() for sigma in BLURS
    ]
    assert losses["alignment"].item() == pytest.approx(np.mean(expected), abs=0.02)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blurs": []}, "blurs: expected one or more numbers of at least 0 from coarse to fine, got []"),
        ({"blurs": [1.0, 2.0]}, "blurs: expected one or more numbers of at least 0 from coarse to fine"),
        ({"blurs": [1.0, -1.0]}, "blurs: expected one or more numbers of at least 0 from coarse to fine"),
        ({"steps": -1}, "steps: expected a whole number of at least 0, got -1"),
        ({"momentum": 1.0}, "momentum: expected a number from 0 to below 1, got 1.0"),
        ({"zoom": float("nan")}, "zoom: expected a number of at least 0, got nan"),
        ({"groups": "digits"}, "groups: expected"),
    ],
)
def test_bad_options_are_one_sentence(options, message):
    with pytest.raises(stnkit.errors.InputError) as caught:
        stnkit.build("objective", "alignment", **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pictures_are_the_template_of_each_image():
    objective, labels = prepared(groups="labels"), torch.tensor([2, 0, 2])
    objective.losses(batch_of(blobs(3), labels=labels))
    shown = objective.pictures(batch_of(blobs(3, seed=1), labels=labels))["template"]
    torch.testing.assert_close(shown, objective.straightened_templates[labels])


@pytest.mark.slow
@pytest.mark.parametrize("shapes", [1, 3])
def test_descent_lines_up_rotated_copies_of_images(shapes):
    transformer, labels = transformer_of("rotation", (1, 28, 28)), torch.arange(shapes).repeat(30)
    draws = torch.Generator().manual_seed(0)
    turned = 1.2 * (torch.rand(len(labels), 1, generator=draws) - 0.5)
    images = transformer.warp(digits(shapes)[labels], turned)
    objective = prepared(transformer, (1, 28, 28), groups="labels", momentum=0.0)
    theta = torch.zeros_like(turned).requires_grad_()
    optimizer = torch.optim.Adam([theta], lr=0.05)
    for _ in range(60):
        losses = objective.losses(batch_of(images, transformer.warp(images, theta), labels, theta))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    pose = (turned + theta).detach()
    spread = torch.stack([pose[labels == k].std() for k in range(shapes)])
    assert (spread < 0.15 * turned.std()).all()
