"""A batch of nothing: every component gives nothing of the right shape, and gradients of 0."""

import pytest
import torch

import stnkit
from stnkit.plugin_system.registry import plugin_registry
from stnkit.testing.inputs import SIZE


def names(kind):
    return [entry.name for entry in plugin_registry().registered if entry.kind == kind]


FAMILIES = [(name, {}) for name in names("transform")] + [
    (name, {"ndim": 3})
    for name in ("translation", "scale", "affine", "bspline", "displacement", "tps", "piecewise_affine")
]


def empty(*shape):
    return torch.zeros(0, *shape, requires_grad=True)


@pytest.mark.parametrize(("name", "options"), FAMILIES)
@pytest.mark.parametrize("n_points", [5, 0])
def test_a_family_of_no_theta_has_no_points(name, options, n_points):
    family = stnkit.build("transform", name, **options)
    size, theta = SIZE[family.ndim], empty(family.n_params)
    shape = (0, n_points, family.ndim)
    for points in (torch.zeros(1, n_points, family.ndim), empty(n_points, family.ndim)):
        assert family(theta, points).shape == family.inverse(theta, points).shape == shape
        (family(theta, points).sum() + family.inverse(theta, points).sum()).backward()
    grid = family.grid(theta, size)
    assert grid.shape == (0, *size, family.ndim)
    grid.sum().backward()
    assert theta.grad.shape == theta.shape


@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_a_family_of_one_theta_maps_no_points(name, options):
    family = stnkit.build("transform", name, **options)
    theta = family.identity()[None].float().requires_grad_()
    points = torch.zeros(1, 0, family.ndim)
    assert family(theta, points).shape == family.inverse(theta, points).shape == points.shape
    (family(theta, points).sum() + family.inverse(theta, points).sum()).backward()
    assert not theta.grad.any()


@pytest.mark.parametrize(("name", "options"), FAMILIES)
@pytest.mark.parametrize("batch", [0, 2])
def test_a_map_of_no_points_has_no_derivatives(name, options, batch):
    family = stnkit.build("transform", name, **options)
    ndim, theta = family.ndim, family.identity()[None].float().repeat(batch, 1)
    for points in (torch.zeros(1, 0, ndim), torch.zeros(batch, 0, ndim)):
        assert stnkit.families.jacobian(family, theta, points).shape == (batch, 0, ndim, ndim)
        assert stnkit.jacobian_determinant(family, theta, points).shape == (batch, 0)
        assert family.jacobian_determinant(theta, points).shape == (batch, 0)
        assert stnkit.families.onward(family, theta, points).shape == (batch, 0, ndim)


@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_a_family_of_no_theta_is_regular(name, options):
    family = stnkit.build("transform", name, **options)
    ndim, size, theta = family.ndim, SIZE[family.ndim], empty(family.n_params)
    assert stnkit.families.jacobian(family, theta, size).shape == (0, *size, ndim, ndim)
    assert stnkit.jacobian_determinant(family, theta, size).shape == (0, *size)
    assert stnkit.folds(family, theta, size).shape == stnkit.bending_energy(family, theta, size).shape == (0,)
    assert family.fit(empty(5, ndim), empty(5, ndim)).shape == theta.shape


def closed_families():
    """Names of the families of matrices that compose."""
    built = {name: type(stnkit.build("transform", name)) for name in names("transform")}
    matrices = {name: cls for name, cls in built.items() if issubclass(cls, stnkit.families.MatrixFamily)}
    return [n for n, cls in matrices.items() if cls._from_matrix is not stnkit.families.MatrixFamily._from_matrix]


@pytest.mark.parametrize("name", closed_families())
def test_nothing_composes_to_nothing(name):
    family = stnkit.build("transform", name)
    theta, one = empty(family.n_params), family.identity()[None]
    for composed in (family.compose(theta, theta), family.compose(one, theta), family.compose(theta, one)):
        assert composed.shape == theta.shape
    assert family.from_matrix(family.matrix(theta)).shape == theta.shape


@pytest.mark.filterwarnings("ignore:the nearest sampler has zero gradient")
@pytest.mark.parametrize("name", names("sampler"))
def test_a_sampler_reads_no_images(name):
    sampler, image = stnkit.build("sampler", name), empty(2, 5, 6)
    family = stnkit.build("transform", "affine")
    theta = empty(6)
    warped = sampler(image, family.grid(theta, (3, 4)))
    assert warped.shape == (0, 2, 3, 4)
    warped.sum().backward()
    assert image.grad.shape == image.shape


@pytest.mark.parametrize("name", names("localizer"))
@pytest.mark.parametrize("training", [True, False])
def test_a_transformer_of_no_images_gives_none(name, training, timm):
    # Two channels: some localizers see pairs.
    localizer = stnkit.build("localizer", name, in_shape=(2, 16, 16))
    transformer = stnkit.SpatialTransformer(
        localizer, stnkit.build("transform", "tps"), stnkit.build("sampler", "bilinear"), (9, 8)
    ).train(training)
    image = empty(2, 16, 16)
    warped = transformer(image)
    assert warped.shape == (0, 2, 9, 8)
    warped.sum().backward()
    assert not transformer.head.weight.grad.any()


@pytest.mark.parametrize("name", names("network"))
@pytest.mark.parametrize("training", [True, False])
def test_a_network_of_no_images_gives_no_logits(name, training, timm):
    network = stnkit.build("network", name, in_shape=(1, 28, 28), n_classes=10).train(training)
    assert network(empty(1, 28, 28)).shape == ((0, 1, 28, 28) if network.gives_image else (0, 10))


@pytest.mark.parametrize("name", names("distortion"))
def test_a_distortion_of_no_images_gives_none(name):
    # Two channels: some distort pairs.
    distortion = stnkit.build("distortion", name, image_shape=(2, 28, 28))
    generator = torch.Generator().manual_seed(0)
    theta = distortion.sample(0, generator)
    assert theta.shape == (0, distortion.family.n_params)
    assert distortion.apply(torch.zeros(0, 2, 28, 28), theta, generator).shape == (0, 2, *distortion.out_size)
