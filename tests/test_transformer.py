import copy
import pickle

import pytest
import torch

import stnkit
from stnkit.plugin_system.registry import plugin_registry

TRANSFORMS = plugin_registry().names("transform")
# Without the charts, which have no identity.
WITH_IDENTITY = [name for name in TRANSFORMS if not stnkit.build("transform", name).is_chart]
LOCALIZERS = plugin_registry().names("localizer")
# A map of features is for families whose θ is a lattice.
FITTING = [
    (transform, localizer)
    for transform in TRANSFORMS
    for localizer in LOCALIZERS
    if stnkit.build("transform", transform).lattice_shape
    or not plugin_registry().component("localizer", localizer).cls.feature_map
]
FITTING_IDENTITY = [(transform, localizer) for transform, localizer in FITTING if transform in WITH_IDENTITY]


def transformer(transform="affine", localizer="convolutional", size=(28, 28), out_size=None, channels=1):
    return stnkit.SpatialTransformer(
        stnkit.build("localizer", localizer, in_shape=(channels, *size)),
        stnkit.build("transform", transform),
        stnkit.build("sampler", "bilinear"),
        out_size,
    )


# Of the shorter side: the network in it takes no smaller images.
SMALLEST = {"backbone": 16}


@pytest.mark.parametrize(
    ("transform", "localizer", "size"),
    [
        (transform, localizer, size)
        for size in ((8, 8), (28, 28), (64, 40))
        for transform, localizer in FITTING_IDENTITY
        if min(size) >= SMALLEST.get(localizer, 0)
    ],
)
def test_a_fresh_transformer_is_the_identity(transform, localizer, size, timm):
    image = torch.rand(2, 2, *size)  # two channels: some localizers see pairs
    warped = transformer(transform, localizer, size, channels=2)(image)
    torch.testing.assert_close(warped, image, atol=1e-5, rtol=0)


@pytest.mark.parametrize("transform", WITH_IDENTITY)
@pytest.mark.slow
def test_a_fresh_transformer_is_the_identity_on_a_large_image(transform):
    image = torch.rand(1, 1, 1024, 1024)
    model = transformer(transform, "convolutional", (1024, 1024))
    with torch.no_grad():
        torch.testing.assert_close(model(image), image, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("transform", "localizer"), FITTING_IDENTITY)
def test_a_fresh_transformer_is_the_identity_under_autocast(transform, localizer, timm):
    image = torch.rand(2, 2, 32, 32).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        warped = transformer(transform, localizer, (32, 32), channels=2)(image)
    assert warped.dtype == torch.bfloat16
    # One unit in the last place of bfloat16: the image itself is rounded so.
    torch.testing.assert_close(warped.float(), image.float(), atol=2**-8, rtol=2**-8)


def test_theta_and_grid_are_float32_under_bfloat16_autocast():
    model = transformer()
    with torch.autocast("cpu", torch.bfloat16):
        theta = model.localize(torch.rand(2, 1, 28, 28))
        grid = model.family.grid(theta, (28, 28))
    assert theta.dtype == grid.dtype == torch.float32


def test_the_output_has_the_size_that_was_asked_for():
    assert transformer(out_size=(12, 17))(torch.rand(3, 1, 28, 28)).shape == (3, 1, 12, 17)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_head_gets_a_gradient_and_theta_moves(transform):
    model = transformer(transform)
    image = torch.rand(4, 1, 28, 28)
    before = model.localize(image).detach()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    (model(image) * torch.linspace(0, 1, 28)).mean().backward()
    assert model.head.offset.grad is not None
    assert bool(torch.isfinite(model.head.offset.grad).all())
    optimizer.step()
    assert not torch.equal(model.localize(image), before)


def test_copies_and_pickles_warp_alike():
    model = transformer()
    with torch.no_grad():
        model.head.weight.normal_(std=0.1)
    image = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(copy.deepcopy(model)(image), model(image))
    torch.testing.assert_close(pickle.loads(pickle.dumps(model))(image), model(image))


def test_nothing_but_weights_is_in_the_state_dict():
    assert {name.split(".")[0] for name in transformer().state_dict()} == {"localizer", "head"}


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("out_size", [(0, 5), (5,), (3, 4, 5)])
def test_a_wrong_out_size_is_refused(out_size):
    with pytest.raises(stnkit.errors.InputError, match="out_size: expected 2 whole numbers"):
        transformer(out_size=out_size)


@pytest.mark.no_jaxtyping
def test_an_image_of_other_dimensions_is_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"4 axes.*\(2, 1, 8, 8, 8\)"):
        transformer()(torch.rand(2, 1, 8, 8, 8))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_theta_of_the_wrong_width_is_refused(transform):
    family = stnkit.build("transform", transform)
    with pytest.raises(
        stnkit.errors.InputError, match=rf"shape \(B, {family.n_params}\).*\(3, {family.n_params + 1}\)"
    ):
        family.grid(torch.zeros(3, family.n_params + 1), (8,) * family.ndim)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e30])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_theta_that_is_not_finite_gives_a_finite_image(transform, bad):
    family = stnkit.build("transform", transform)
    theta = family.identity().float().repeat(3, 1)
    theta[0] = bad
    theta[1, 0] = bad
    grid = family.grid(theta, (6,) * family.ndim)
    image = torch.rand(3, 1, *(6,) * family.ndim)
    warped = stnkit.build("sampler", "bilinear")(image, grid)
    assert bool(torch.isfinite(warped).all())
    if transform in WITH_IDENTITY:
        torch.testing.assert_close(warped[2], image[2], atol=1e-5, rtol=0)
    alone = stnkit.warp(family, theta[2:], image[2:], stnkit.build("sampler", "bilinear"))
    torch.testing.assert_close(warped[2:], alone, atol=1e-5, rtol=0)
