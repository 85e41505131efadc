import pytest
import torch

import stnkit
from stnkit.registry import registry

LOCALIZERS = registry().names("localizer")


@pytest.mark.parametrize("size", [(8, 8), (9, 30), (28, 28), (60, 60), (97, 64), (8, 8, 8), (12, 16, 9)])
@pytest.mark.parametrize("localizer", LOCALIZERS)
def test_features_have_the_promised_width_for_any_size_from_eight_on(localizer, size):
    model = stnkit.build("localizer", localizer, in_shape=(3, *size))
    assert model(torch.rand(2, 3, *size)).shape == (2, model.n_features)


def test_the_convolutional_localizer_has_the_papers_shapes_at_28_pixels():
    model = stnkit.build("localizer", "convolutional", in_shape=(1, 28, 28))
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size, c.padding) for c in convolutions] == [(20, (5, 5), (0, 0))] * 2
    assert [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, torch.nn.Linear)] == [(20, 20)]


def test_the_fully_connected_localizer_has_the_papers_shapes():
    model = stnkit.build("localizer", "fully_connected", in_shape=(1, 28, 28))
    widths = [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert widths == [(784, 32), (32, 32), (32, 32)]


@pytest.mark.parametrize("localizer", LOCALIZERS)
def test_gradients_reach_every_parameter_of_a_moved_head(localizer):
    family = stnkit.build("transform", "affine")
    model = stnkit.SpatialTransformer(
        stnkit.build("localizer", localizer, in_shape=(1, 16, 16)),
        family,
        stnkit.build("sampler", "bilinear"),
    )
    with torch.no_grad():
        model.head.weight.normal_()
    model(torch.rand(4, 1, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in model.parameters())


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(("size", "options"), [((7, 28), {}), ((28, 28), {"channels": [20] * 5})])
def test_a_localizer_too_deep_for_its_input_says_what_to_do(size, options):
    with pytest.raises(stnkit.InputError, match=r"too deep for images of .*use larger images, fewer channels"):
        stnkit.build("localizer", "convolutional", in_shape=(1, *size), **options)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("localizer", "options"),
    [
        ("convolutional", {"channels": []}),
        ("convolutional", {"kernel_size": 4}),
        ("convolutional", {"downsample": 0}),
        ("fully_connected", {"hidden": [0]}),
    ],
)
def test_options_out_of_range_are_refused_by_name(localizer, options):
    with pytest.raises(stnkit.InputError, match=next(iter(options))):
        stnkit.build("localizer", localizer, in_shape=(1, 28, 28), **options)


def test_the_head_starts_at_the_identity_and_stays_wide_under_autocast():
    family = stnkit.build("transform", "affine")
    head = stnkit.RegressionHead(5, family)
    assert not head.weight.any()
    torch.testing.assert_close(head.bias.detach(), family.identity().float())
    with torch.autocast("cpu", torch.bfloat16):
        theta = head(torch.randn(3, 5).bfloat16())
    assert theta.dtype == torch.float32
    assert head.half()(torch.randn(3, 5).half()).dtype == torch.float32
