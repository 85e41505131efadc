"""Components that are built where another default device is set, such as meta, compute as any others."""

import itertools

import pytest
import torch

import stnkit
from stnkit.plugin_system.registry import plugin_registry


@pytest.mark.parametrize("name", plugin_registry().names("transform"))
def test_a_family_built_on_meta_has_the_grid_of_any_other(name):
    """optuna 6418, transformers 30703: constants on meta have no values, and nothing gives them any."""
    with torch.device("meta"):
        family = stnkit.build("transform", name)
    theta = stnkit.build("transform", name).identity()[None] + 0.01
    grid = stnkit.build("transform", name).grid(theta, (5, 6))
    torch.testing.assert_close(family.grid(theta, (5, 6)), grid, equal_nan=True)


@pytest.mark.parametrize("name", plugin_registry().names("transform"))
def test_a_family_on_meta_has_grids_and_gradients_of_theirs(name):
    family = stnkit.build("transform", name).to("meta")
    theta = torch.zeros(2, family.n_params, device="meta", requires_grad=True)
    grid = family.grid(theta, (5, 6))
    (gradient,) = torch.autograd.grad(grid.sum(), theta)
    assert (grid.device.type, grid.shape, gradient.shape) == ("meta", (2, 5, 6, 2), theta.shape)


@pytest.mark.filterwarnings("ignore:the nearest sampler has zero gradient")
@pytest.mark.parametrize("name", plugin_registry().names("sampler"))
def test_a_sampler_built_on_meta_reads_what_any_other_does(name):
    with torch.device("meta"):
        sampler = stnkit.build("sampler", name)
    image, grid = torch.rand(2, 1, 7, 8), (2 * torch.rand(2, 3, 4, 2) - 1).requires_grad_()
    gradients = []
    for each in (sampler, stnkit.build("sampler", name)):
        out = each(image, grid)
        gradients.append((out, *torch.autograd.grad(out.sum(), grid, allow_unused=True)))
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", plugin_registry().names("distortion"))
def test_a_distortion_built_on_meta_draws_what_any_other_does(name):
    with torch.device("meta"):
        distortion = stnkit.build("distortion", name, image_shape=(2, 28, 28))
    other = stnkit.build("distortion", name, image_shape=(2, 28, 28))
    theta = [each.sample(3, torch.Generator().manual_seed(0)) for each in (distortion, other)]
    torch.testing.assert_close(*theta)


def emptied(module):
    """The module as from meta on the CPU, where nothing has a value yet: NaN, or −1 for whole numbers."""
    module = module.to("meta").to_empty(device="cpu")
    for entries in itertools.chain(module.parameters(), module.buffers()):
        entries.detach().fill_(torch.nan if entries.is_floating_point() else -1)
    return module


def transformer(localizer):
    localizer = stnkit.build("localizer", localizer, in_shape=(2, 28, 28))
    family = stnkit.build("transform", "bspline" if localizer.feature_map else "affine")
    return stnkit.SpatialTransformer(localizer, family, stnkit.build("sampler", "bilinear")).eval()


@pytest.mark.parametrize("name", plugin_registry().names("localizer"))
def test_a_state_loaded_after_meta_is_all_there_is(name, request):
    """`with torch.device("meta")`, `to_empty`, `load_state_dict`: the usual way to large networks."""
    if name == "timm":
        request.getfixturevalue("timm")
    trained = transformer(name)
    with torch.no_grad():
        for parameter in trained.head.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    with torch.device("meta"):
        loaded = transformer(name)
    loaded = emptied(loaded)
    loaded.load_state_dict(trained.state_dict())
    image = torch.rand(2, 2, 28, 28)
    torch.testing.assert_close(loaded.localize(image), trained.localize(image), rtol=0, atol=0)


@pytest.mark.parametrize("name", plugin_registry().names("localizer"))
def test_narrow_weights_leave_constants_as_they_are(name, request):
    if name == "timm":
        request.getfixturevalue("timm")
    narrowed = transformer(name).bfloat16().float()
    other = transformer(name)
    other.load_state_dict(narrowed.state_dict())
    image = torch.rand(2, 2, 28, 28)
    torch.testing.assert_close(narrowed.localizer(image), other.localizer(image), rtol=0, atol=0)
