"""Localizers that give a map of features, in transformers and networks."""

import pytest
import torch

import stnkit
from stnkit.experiments.loop.task import parameter_groups
from stnkit.experiments.schema import TrainingConfig
from stnkit.heads import head_for
from stnkit.localizers import LatticeHead, RegressionHead
from tests.lattice_cases import FAMILIES


class Map(stnkit.Localizer):
    """A convolution, whose output is the map."""

    feature_map = True
    n_features = 6

    def __init__(self, in_shape, stride=2):
        super().__init__()
        conv = torch.nn.Conv2d if len(in_shape) == 3 else torch.nn.Conv3d
        self.layer = conv(in_shape[0], 6, 3, stride, padding=1)

    def features(self, image):
        return self.layer(image).tanh()


def transformer(family, in_shape=(2, 16, 20), **options):
    return stnkit.SpatialTransformer(Map(in_shape), family, stnkit.build("sampler", "bilinear"), **options)


def test_a_run_spares_the_offset_of_a_lattice_weight_decay():
    model = transformer(stnkit.build("transform", "bspline"))
    network = torch.nn.Sequential(model, torch.nn.Conv2d(2, 3, 3))
    groups = parameter_groups(network, TrainingConfig(weight_decay=0.1, learning_rate=1.0, localizer_scale=0.5))
    (spared,) = (group for group in groups if group["weight_decay"] == 0)
    assert [id(p) for p in spared["params"]] == [id(model.head.offset)]
    (slow,) = (group for group in groups if group["lr"] == 0.5 and group["weight_decay"] > 0)
    assert {id(p) for p in slow["params"]} == {id(p) for p in model.parameters()} - {id(model.head.offset)}


@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_the_second_step_reaches_every_parameter(name, options):
    family = stnkit.build("transform", name, **options)
    shape = (2, 12, 14) if family.ndim == 2 else (2, 6, 7, 8)
    model = transformer(family, shape)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    image = torch.rand(4, *shape)
    for _ in range(2):
        optimizer.zero_grad()
        (model(image) - 0.5 * image.roll(1, -1)).square().mean().backward()
        optimizer.step()
    assert all(bool(p.grad.any()) for p in model.parameters())


def test_parallel_transformers_have_a_lattice_each():
    families = [stnkit.build("transform", name) for name in ("bspline", "tps")]
    model = stnkit.ParallelTransformers([transformer(family) for family in families])
    image = torch.rand(2, 2, 16, 20)
    torch.testing.assert_close(model(image), torch.cat([image, image], dim=1), atol=1e-5, rtol=0)


class Shift(stnkit.families.MatrixFamily):
    """T_θ(p) = p + θ: a lattice of one point, which composes."""

    n_params = 2
    affine = True
    lattice_shape = (1, 1)
    lattice_extent = (0.0, 0.0)

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def rows(self, theta):
        eye = torch.eye(2, dtype=theta.dtype).expand(len(theta), -1, -1)
        return torch.cat([eye, theta[..., None]], dim=-1)

    def _from_matrix(self, matrix):
        return matrix[:, :2, 2]


def test_a_recurrent_transformer_composes_thetas_of_maps():
    model = transformer(Shift(), recurrent=2)
    image = torch.rand(2, 2, 16, 20)
    torch.testing.assert_close(model(image), image, atol=1e-5, rtol=0)
    with torch.no_grad():
        model.head.offset.copy_(torch.tensor([0.1, -0.2]))
    torch.testing.assert_close(model.localize(image), torch.tensor([[0.2, -0.4]]).expand(2, -1))


def test_a_map_is_read_at_an_insertion_point_of_a_network():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 3, 3))
    image = torch.rand(2, 1, 20, 16)
    expected = network(image)
    components = {"transform": "displacement", "localizer": {"name": "dense", "channels": [4, 6]}}
    stnkit.insert_transformers(network, {"1": {**components, "sampler": "bilinear"}}, image)
    torch.testing.assert_close(network(image), expected, atol=1e-5, rtol=0)
    with pytest.raises(
        stnkit.errors.InputError, match="insertion point '2': Dense gives a map of features: expected a"
    ):
        stnkit.insert_transformers(
            network, {"2": {"transform": "affine", "localizer": "dense", "sampler": "bilinear"}}, image
        )


def test_features_choose_the_head():
    family = stnkit.build("transform", "tps")
    assert isinstance(head_for(Map((1, 8, 8)), family), LatticeHead)
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(1, 8, 8))
    assert isinstance(head_for(localizer, family), RegressionHead)


class Misfit(stnkit.TransformFamily):
    n_params = 8
    lattice_shape = (2, 3)

    def identity(self):
        return torch.zeros(8, dtype=torch.float64)

    def forward(self, theta, points):
        return points.expand(len(theta), -1, -1)


class TooFar(Misfit):
    lattice_shape = (2, 2)
    lattice_extent = (1.0,)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: transformer(stnkit.build("transform", "affine")),
            "Map gives a map of features: expected a family whose θ is a lattice of control points (lattice_shape), "
            "such as a B-spline, got Affine",
        ),
        (
            lambda: transformer(stnkit.build("transform", "tps", control_points=[[0, 0], [1, 0], [0, 1]])),
            "Map gives a map of features: expected a family whose θ is a lattice of control points (lattice_shape), "
            "such as a B-spline, got ThinPlateSpline",
        ),
        (
            lambda: LatticeHead(5, stnkit.build("transform", "affine")),
            "LatticeHead: expected a family with a lattice_shape, got Affine",
        ),
        (
            lambda: LatticeHead(5, Misfit()),
            "Misfit.lattice_shape: expected 2 numbers of points whose product is n_params / ndim, 8 / 2, got [2, 3]",
        ),
        (
            lambda: LatticeHead(5, TooFar()),
            "TooFar.lattice_extent: expected 2 finite numbers of at least 0, got [1.0]",
        ),
        (
            lambda: LatticeHead(5, stnkit.build("transform", "tps"))(torch.zeros(1, 5, 4, 4, 4)),
            "LatticeHead: expected a map of 2 dimensions, (B, n_features, *size), got [1, 5, 4, 4, 4]",
        ),
        (
            lambda: LatticeHead(5, stnkit.build("transform", "tps"), [1.0]),
            "transform_init: expected 32 finite numbers, the θ of ThinPlateSpline, got 1",
        ),
    ],
)
def test_a_map_that_is_no_theta_is_one_sentence(make, sentence):
    with pytest.raises(stnkit.errors.InputError) as refused:
        make()
    assert str(refused.value) == sentence


@pytest.mark.no_jaxtyping
def test_feature_map_must_be_true_or_false():
    wrong = type("Wrong", (Map,), {"feature_map": "yes"})
    with pytest.raises(stnkit.errors.InputError, match=r"Wrong\.feature_map: expected True or False, got 'yes'"):
        wrong((1, 8, 8))


def test_vmap_over_images_gives_each_its_theta():
    model = transformer(stnkit.build("transform", "bspline"))
    with torch.no_grad():
        model.head.weight.normal_()
    image = torch.rand(3, 2, 16, 20)
    found = torch.func.vmap(lambda one: model.localize(one[None])[0])(image)
    torch.testing.assert_close(found, model.localize(image), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["bspline", "tps"])
def test_a_transformer_of_a_map_compiles_and_exports(name):
    model = transformer(stnkit.build("transform", name)).eval()
    with torch.no_grad():
        model.head.weight.normal_(std=0.1)
    image = torch.rand(3, 2, 16, 20)
    expected = model(image)
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(image), expected, atol=1e-5, rtol=1e-5)
    program = torch.export.export(model, (image,))
    torch.testing.assert_close(program.module()(image), expected, atol=1e-5, rtol=1e-5)
