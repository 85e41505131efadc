import pytest
import torch

import stnkit
from stnkit.localizers import RegressionHead

# Of ours; what every localizer has to do is checked where everything is.
LOCALIZERS = ["convolutional", "fully_connected"]


@pytest.mark.parametrize("size", [(8, 8), (9, 30), (28, 28), (60, 60), (97, 64), (8, 8, 8), (12, 16, 9)])
@pytest.mark.parametrize("localizer", LOCALIZERS)
def test_features_have_their_width_for_any_size_from_eight_on(localizer, size):
    model = stnkit.build("localizer", localizer, in_shape=(3, *size))
    assert model(torch.rand(2, 3, *size)).shape == (2, model.n_features)


def test_convolutional_can_have_the_papers_shapes():
    paper = {"channels": [20, 20], "features": 20, "batch_norm": False}
    model = stnkit.build("localizer", "convolutional", in_shape=(1, 28, 28), **paper)
    assert not [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size, c.padding) for c in convolutions] == [(20, (5, 5), (0, 0))] * 2
    assert [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, torch.nn.Linear)] == [(20, 20)]


@pytest.mark.parametrize(
    ("shape", "channels", "side"),
    [
        ((1, 28, 28), [64, 128], 1),
        ((1, 60, 60), [32, 64, 128], 2),
        ((3, 224, 224), [16, 32, 64, 128], 6),
        ((1, 1024, 1024), [16, 16, 16, 32, 64, 128], 8),
    ],
)
def test_larger_images_have_more_convolutions(shape, channels, side):
    model = stnkit.build("localizer", "convolutional", in_shape=shape)
    assert [m.out_channels for m in model.modules() if isinstance(m, torch.nn.Conv2d)] == channels
    (linear,) = (m for m in model.modules() if isinstance(m, torch.nn.Linear))
    assert linear.in_features == 128 * side * side
    assert linear.out_features == model.n_features == 128


def test_the_fully_connected_localizer_has_the_papers_shapes():
    model = stnkit.build("localizer", "fully_connected", in_shape=(1, 28, 28))
    widths = [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert widths == [(784, 32), (32, 32), (32, 32)]


@pytest.mark.parametrize("size", [(28, 28), (8, 8), (12, 12, 12)])
def test_with_batch_norm_training_starts_at_the_identity(size):
    localizer = stnkit.build("localizer", "convolutional", in_shape=(2, *size), channels=[20, 30], features=10)
    norms = [m for m in localizer.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    assert [norm.num_features for norm in norms] == [20, 30, 10]
    family = stnkit.build("transform", "affine", ndim=len(size))
    transformer = stnkit.SpatialTransformer(localizer, family, stnkit.build("sampler", "bilinear"))
    image = torch.rand(4, 2, *size)
    for mode in (True, False):
        assert torch.equal(transformer.train(mode).localize(image), family.identity().float().expand(4, -1))
    with torch.no_grad():
        transformer.head.weight.normal_()
    transformer.train()(image).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in transformer.parameters())


def test_batch_norm_normalizes_what_enters_the_activations():
    localizer = stnkit.build("localizer", "convolutional", in_shape=(1, 28, 28))
    features = localizer(100 * torch.rand(64, 1, 28, 28))
    # The mean of max(0, x) over a standard normal x is 0.4; without batch-norm it follows the scale of the image.
    assert 0.2 < features.mean() < 0.6


def test_batch_norm_trains_on_a_last_batch_of_one_image():
    localizer = stnkit.build("localizer", "convolutional", in_shape=(1, 28, 28))
    localizer.train()(torch.rand(16, 1, 28, 28))
    before = {name: value.clone() for name, value in localizer.named_buffers()}
    one = torch.rand(1, 1, 28, 28)
    assert bool(localizer(one).isfinite().all())
    # One value has no variance to learn from.
    after = dict(localizer.named_buffers())
    assert all(torch.equal(after[name], before[name]) for name in after if name.startswith("layers.10"))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("size", "options"), [((1, 28), {}), ((7, 28), {"channels": [64, 128]}), ((28, 28), {"channels": [20] * 5})]
)
def test_a_localizer_too_deep_for_its_input_says_what_to_do(size, options):
    with pytest.raises(stnkit.errors.InputError, match=r"too deep for images of .*use larger images, fewer channels"):
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
    with pytest.raises(stnkit.errors.InputError, match=next(iter(options))):
        stnkit.build("localizer", localizer, in_shape=(1, 28, 28), **options)


def test_the_head_starts_at_the_identity_also_under_autocast():
    family = stnkit.build("transform", "affine")
    head = RegressionHead(5, family)
    assert not head.weight.any()
    assert not head.offset.any()
    with torch.autocast("cpu", torch.bfloat16):
        theta = head(torch.randn(3, 5).bfloat16())
    assert theta.dtype == torch.float32
    assert head.half()(torch.randn(3, 5).half()).dtype == torch.float32


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("localizer", LOCALIZERS)
def test_images_of_another_shape_are_refused_in_a_sentence(localizer):
    model = stnkit.build("localizer", localizer, in_shape=(1, 28, 28))
    for shape in ((2, 1, 60, 60), (2, 3, 28, 28), (2, 1, 28, 29)):
        with pytest.raises(stnkit.errors.InputError, match=r"expected images of shape \[1, 28, 28\], got \["):
            model(torch.rand(shape))


def test_a_localizer_that_takes_any_size_needs_no_shape():
    class Mean(stnkit.Localizer):
        n_features = 1

        def features(self, image):
            return image.mean(dim=(1, 2, 3))[:, None]

    assert Mean()(torch.rand(2, 3, 5, 6)).shape == (2, 1)


FAMILIES = {"affine": {}, "tps": {}, "translation": {}, "homography4": {}}


@pytest.mark.parametrize("name", FAMILIES)
def test_weight_decay_leaves_the_identity(name):
    """FlowNetPytorch 16: a bias that holds the identity decays to θ = 0, which is no identity."""
    family = stnkit.build("transform", name)
    head = RegressionHead(5, family)
    optimizer = torch.optim.SGD(head.parameters(), lr=10.0, weight_decay=5e-2)
    for _ in range(50):
        optimizer.zero_grad()
        (head(torch.rand(2, 5)) * 0.0).sum().backward()
        optimizer.step()
    torch.testing.assert_close(head(torch.rand(2, 5)), family.identity().float().expand(2, -1))


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_narrow_head_starts_at_the_exact_identity(name, dtype):
    family = stnkit.build("transform", name)
    head = RegressionHead(5, family).to(dtype)
    theta = head(torch.rand(3, 5, dtype=dtype))
    torch.testing.assert_close(theta, family.identity().to(theta).expand(3, -1), rtol=0, atol=1e-7)


def test_a_head_of_the_first_version_is_loaded():
    family = stnkit.build("transform", "tps")
    head = RegressionHead(5, family)
    bias = family.identity().float() + 0.01 * torch.randn(family.n_params)
    old = {"weight": torch.randn(family.n_params, 5), "bias": bias}
    head.load_state_dict(dict(old))
    features = torch.rand(3, 5)
    torch.testing.assert_close(head(features), features @ old["weight"].T + bias)
    with pytest.warns(stnkit.errors.RenamedWarning, match="RegressionHead.bias is a copy now"):
        torch.testing.assert_close(head.bias, bias)


def test_a_head_that_was_built_on_meta_starts_at_the_identity():
    family = stnkit.build("transform", "tps")
    with torch.device("meta"):
        heads = [RegressionHead(5, family) for _ in range(2)]
    heads[0].to_empty(device="cpu").reset_parameters()
    heads[1].load_state_dict(RegressionHead(5, family).state_dict(), assign=True)
    for head in heads:
        torch.testing.assert_close(head(torch.rand(1, 5))[0], family.identity().float())
