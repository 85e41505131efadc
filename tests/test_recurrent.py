import copy
import re

import numpy as np
import pytest
import torch
from torch import nn

import stnkit
from stnkit.plugin_system.registry import plugin_registry


def composes(name):
    family = stnkit.build("transform", name)
    theta = family.identity()[None]
    try:
        family.compose(theta, theta)
    except stnkit.errors.DoesNotComposeError:
        return False
    return True


COMPOSING = [name for name in plugin_registry().names("transform") if composes(name)]


class Fixed(stnkit.Localizer):
    """Looks at nothing and keeps what it was shown."""

    n_features = 2

    def __init__(self):
        super().__init__()
        self.shown = []

    def features(self, image):
        self.shown.append(image.detach())
        # How often it has looked, so that every step has another θ.
        return image.new_tensor([1.0, len(self.shown)]).expand(image.shape[0], 2)


class Counting(stnkit.Sampler):
    """Bilinear, and keeps what it read from."""

    def __init__(self):
        super().__init__()
        self.bilinear = stnkit.build("sampler", "bilinear")
        self.read = []

    def forward(self, image, grid):
        self.read.append(image)
        return self.bilinear(image, grid)


def transformer(transform="affine", localizer=None, recurrent=3, out_size=None):
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(1, 12, 12)) if localizer is None else localizer
    return stnkit.SpatialTransformer(
        localizer, stnkit.build("transform", transform), Counting(), out_size, recurrent=recurrent
    )


@pytest.mark.parametrize("transform", ["affine", "similarity", "translation"])
def test_theta_is_the_product_of_the_matrices_of_all_steps(transform):
    model = transformer(transform, Fixed(), recurrent=3).double()
    with torch.no_grad():
        model.head.weight.normal_(std=0.1)
    theta = model.localize(torch.rand(2, 1, 12, 12, dtype=torch.float64))
    # θ of step k is W·(1, k) + b, and the maps are applied to target points last step first.
    product = torch.eye(3, dtype=torch.float64)
    for k in (1.0, 2.0, 3.0):
        step = model.head.weight @ torch.tensor([1.0, k], dtype=torch.float64) + model.family.identity()
        product = product @ model.family.matrix(step[None])[0]
    torch.testing.assert_close(model.family.matrix(theta)[0], product, atol=1e-12, rtol=0)


def test_each_look_composes_theta_and_reads_the_original_image():
    localizer = Fixed()
    model = transformer("affine", localizer, recurrent=3, out_size=(7, 9))
    with torch.no_grad():
        model.head.weight.normal_(std=0.1)
    image = torch.rand(2, 1, 12, 12)
    out = model(image)
    assert out.shape == (2, 1, 7, 9)
    assert all(read is image for read in model.sampler.read)
    assert len(model.sampler.read) == 3  # twice for the localizer, once for the output
    steps = [model.head(torch.tensor([[1.0, k]] * 2)) for k in (1.0, 2.0, 3.0)]
    so_far = [steps[0], model.family.compose(steps[0], steps[1])]
    torch.testing.assert_close(localizer.shown[0], image)
    for shown, theta in zip(localizer.shown[1:], so_far, strict=True):
        grid = torch.nn.functional.affine_grid(theta.view(2, 2, 3), (2, 1, 12, 12), align_corners=False)
        expected = torch.nn.functional.grid_sample(image, grid, align_corners=False)
        torch.testing.assert_close(shown, expected, atol=1e-5, rtol=0)


def test_one_step_is_the_plain_transformer():
    model = transformer(recurrent=1)
    with torch.no_grad():
        model.head.weight.normal_(std=0.1)
    image = torch.rand(2, 1, 12, 12)
    torch.testing.assert_close(model.localize(image), model.head(model.localizer(image)))
    model(image)
    assert len(model.sampler.read) == 1


@pytest.mark.parametrize("transform", COMPOSING)
def test_a_fresh_recurrent_transformer_is_the_identity(transform):
    family = stnkit.build("transform", transform)
    size = (12, 11, 10)[: family.ndim]
    model = stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=(1, *size)),
        family,
        stnkit.build("sampler", "bilinear"),
        recurrent=4,
    )
    image = torch.rand(2, 1, *size)
    torch.testing.assert_close(model(image), image, atol=1e-5, rtol=0)


def test_gradients_flow_through_all_steps():
    localizers = []
    for recurrent in (1, 2):
        torch.manual_seed(0)
        model = transformer(recurrent=recurrent)
        model.head.weight.data.normal_(std=0.05)
        theta = model.localize(torch.rand(3, 1, 12, 12))
        theta.square().sum().backward()
        localizers.append(model.localizer.layers[1].weight.grad.clone())
        assert bool(localizers[-1].any())
    assert not torch.allclose(*localizers)
    # What is seen in the second step depends on θ of the first: a step that is cut off gives another gradient.
    model = transformer(recurrent=2).double()
    model.head.weight.data.normal_(std=0.05)
    image = torch.rand(1, 1, 12, 12, dtype=torch.float64)

    def of_bias(bias):
        changed = copy.deepcopy(model)
        del changed.head.offset
        changed.head.offset = bias
        return changed.localize(image)

    assert torch.autograd.gradcheck(of_bias, model.head.offset.detach().clone().add_(0.013).requires_grad_())


def test_recurrent_training_brings_a_shifted_blob_back():
    torch.manual_seed(0)
    blob = torch.zeros(1, 1, 24, 24)
    blob[:, :, 8:16, 8:16] = 1
    blob = nn.functional.avg_pool2d(blob, 7, 1, 3)
    family = stnkit.build("transform", "translation")
    theta = (torch.rand(64, 2) - 0.5) * 0.6
    sampler = stnkit.build("sampler", "bilinear")
    images = sampler(blob.expand(64, -1, -1, -1), family.grid(theta, (24, 24)))
    model = stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=(1, 24, 24)), family, sampler, recurrent=2
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(60):
        loss = (model(images) - blob).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    assert float((model.localize(images) + theta).detach().abs().mean()) < 0.2 * float(theta.abs().mean())


@pytest.mark.no_jaxtyping
@pytest.mark.slow
def test_it_compiles_and_exports():
    model = stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=(1, 12, 12)),
        stnkit.build("transform", "affine"),
        stnkit.build("sampler", "bilinear"),
        recurrent=2,
    )
    model.head.weight.data.normal_(std=0.05)
    image = torch.rand(2, 1, 12, 12)
    expected = model(image)
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(image), expected, atol=1e-5, rtol=1e-4)
    program = torch.export.export(model, (image,))
    torch.testing.assert_close(program.module()(image), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("transform", sorted(set(plugin_registry().names("transform")) - set(COMPOSING)))
def test_a_family_that_does_not_compose_is_refused(transform):
    with pytest.raises(
        stnkit.errors.InputError, match=r"recurrent transformer needs a family that composes, but .* does not"
    ):
        transformer(transform, recurrent=2)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("given", [0, 1.5, 2.0, True, "2", None])
def test_what_is_no_number_of_looks_is_refused(given):
    expected = re.escape(f"recurrent: expected a whole number of at least 1, got {given!r}")
    with pytest.raises(stnkit.errors.InputError, match=f"^{expected}$"):
        transformer(recurrent=given)


@pytest.mark.no_jaxtyping
def test_a_number_of_looks_may_be_that_of_numpy():
    assert type(transformer(recurrent=np.int64(2)).recurrent) is int
