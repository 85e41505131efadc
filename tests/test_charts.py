"""Charts, the families none of whose maps is the identity: what follows from the word in every part."""

import dataclasses
import math

import pytest
import torch

import stnkit
from stnkit.experiments.loop.theta_recorder import ThetaRecorder
from stnkit.experiments.losses.equivariance import Similarity, equivariance_error
from stnkit.experiments.losses.supervision import supervision_error
from stnkit.experiments.placement import TransformedNetwork
from stnkit.initial_theta import initial_theta
from stnkit.objectives import Setting
from tests.plugins.objectives import pose_cases

InputError = stnkit.errors.InputError
SHAPE = (1, 12, 12)


class OnCylinder(stnkit.TransformFamily):
    """T_θ(u, v) = A_θ(tan u, v / cos u): a chart around an affine family, as its constructor says."""

    n_params = 6

    def __init__(self) -> None:
        super().__init__()
        self.affine = stnkit.build("transform", "affine")
        self.is_chart = True

    def identity(self):
        return self.affine.identity()

    def forward(self, theta, points):
        u, v = points.split(1, dim=-1)
        return self.affine(theta, torch.cat([u.tan(), v / u.cos()], dim=-1))


CYLINDER = """
from tests.test_charts import OnCylinder
import stnkit

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("cylinder", OnCylinder)
"""


@pytest.fixture
def cylinder(make_distribution):
    make_distribution("their-cylinder", {"their_cylinder": CYLINDER}, {"transform.cylinder": "their_cylinder"})


def rotated(degrees):
    """The affine θ of rotations by so many degrees, and of their inverses."""
    return pose_cases.rotations(*degrees).double(), pose_cases.rotations(*[-angle for angle in degrees]).double()


def transformer_of(family, shape=SHAPE):
    localizer = stnkit.build("localizer", "fully_connected", in_shape=shape)
    return stnkit.SpatialTransformer(localizer, family, stnkit.build("sampler", "bilinear"))


def setting_of(distortion, shape=SHAPE):
    built = stnkit.build("distortion", distortion, image_shape=shape)
    pair = built.between_pair
    transformer = pose_cases.transformer_of(OnCylinder(), shape, pair=pair)
    return Setting(pose_cases.Images(shape, pair=pair), built, shape, transformer)


@pytest.mark.no_jaxtyping
def test_the_word_is_true_or_false():
    with pytest.raises(InputError, match=r"^Said\.is_chart: expected True or False, got 'yes'$"):
        type("Said", (OnCylinder,), {"__init__": stnkit.TransformFamily.__init__, "is_chart": "yes"})()
    assert not stnkit.build("transform", "affine").is_chart


@pytest.mark.slow
@pytest.mark.no_jaxtyping
def test_a_strangers_chart_passes_every_check(cylinder, stnkit_main):
    code, out, _ = stnkit_main("plugins", "check", "cylinder")
    assert code == 0, out
    assert not [line for line in out.splitlines() if line.split()[1:2] == ["failed"]]
    (row,) = [line for line in out.splitlines() if line.startswith("identity ")]
    assert row.split()[1] == "passed"


@pytest.mark.parametrize(
    ("stages", "is_chart"), [(["affine", "tps"], False), (["affine", "cylinder"], True), (["cylinder"], True)]
)
def test_a_composition_with_a_chart_is_a_chart(cylinder, stages, is_chart):
    assert stnkit.build("transform", "compose", stages=stages).is_chart == is_chart
    nested = stnkit.build("transform", "compose", stages=["translation", {"name": "compose", "stages": stages}])
    assert nested.is_chart == is_chart


def test_an_inserted_chart_shows_the_network_other_coordinates(cylinder):
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(400, 10))
    image, family = torch.rand(2, *SHAPE), OnCylinder()
    before = network(image)
    shown = stnkit.warp(family, family.identity().float().repeat(2, 1), image, stnkit.build("sampler", "bilinear"))
    expected = network(shown)
    components = {"transform": "cylinder", "localizer": "fully_connected", "sampler": "bilinear"}
    stnkit.insert_transformers(network, {"input": components}, image)
    torch.testing.assert_close(network(image), expected, atol=1e-5, rtol=0)
    assert (network(image) - before).abs().max() > 0.01


@pytest.mark.no_jaxtyping
def test_theta_starts_at_its_neutral_value():
    transformer = transformer_of(OnCylinder())
    recorder = ThetaRecorder(transformer)
    transformer(torch.rand(3, *SHAPE))
    assert recorder.distance() == 0
    assert TransformedNetwork(transformer, torch.nn.Identity()).charts() == ["input"]
    assert TransformedNetwork(transformer_of(OnCylinder().affine), torch.nn.Identity()).charts() == []


def test_a_chart_starts_from_numbers_and_has_no_window():
    assert initial_theta(OnCylinder(), [1, 0, 0.5, 0, 1, 0]).tolist() == [1, 0, 0.5, 0, 1, 0]
    expected = r"^transform_init: expected 6 numbers for OnCylinder, a chart, which shows no window, got \{'zoom': 2\}$"
    with pytest.raises(InputError, match=expected):
        initial_theta(OnCylinder(), {"zoom": 2})


def test_supervision_asks_for_the_chart_of_the_original():
    family, affine = OnCylinder(), stnkit.build("transform", "affine")
    true, undone = rotated([20.0, -70.0])
    assert supervision_error(family, undone, affine, true).item() == pytest.approx(0, abs=1e-12)
    neutral = family.identity().repeat(2, 1)
    assert supervision_error(family, neutral, affine, true).item() > 0.1


def test_equivariance_holds_for_a_chart():
    family = OnCylinder()
    turns, back = rotated([20.0, -70.0])
    delta = Similarity(turns.view(2, 2, 3)[:, :, :2], turns.view(2, 2, 3)[:, :, 2])
    neutral = family.identity().repeat(2, 1)
    assert equivariance_error(family, neutral, back, delta).item() == pytest.approx(0, abs=1e-12)
    turned = sum(2 * (1 - math.cos(math.radians(angle))) for angle in (20, 70)) / 2
    assert equivariance_error(family, neutral, neutral, delta).item() == pytest.approx(turned)


def test_the_zoom_of_alignment_is_relative_to_the_neutral_map():
    objective, family = stnkit.build("objective", "alignment"), OnCylinder()
    transformer = transformer_of(family)
    objective.prepare(Setting(pose_cases.Images(SHAPE), pose_cases.still(SHAPE), SHAPE, transformer))
    images, neutral = torch.rand(2, *SHAPE), family.identity().float().repeat(2, 1)

    def zoom(theta):
        batch = dataclasses.replace(pose_cases.batch_of(theta, None), images=images, straightened=images)
        return objective.losses(batch)["zoom"]

    assert zoom(neutral).item() == pytest.approx(0, abs=1e-10)
    assert zoom(neutral * 2).item() == pytest.approx(math.log(2) ** 2, abs=1e-5)


def test_objectives_of_a_known_map_refuse_a_chart():
    expected = "^objective=pose: expected a transform that may be the identity, got the chart OnCylinder$"
    with pytest.raises(InputError, match=expected):
        stnkit.build("objective", "pose").prepare(setting_of("rotation"))
    expected = "^objective=registration: expected a transform that may be the identity, .*, got the chart OnCylinder$"
    with pytest.raises(InputError, match=expected):
        stnkit.build("objective", "registration").prepare(setting_of("pair", (2, 12, 12)))


def test_registration_onto_images_in_the_chart_is_allowed():
    registration, setting = stnkit.build("objective", "registration"), setting_of("none", (2, 12, 12))
    registration.prepare(setting)
    assert "point_error" not in registration.figures


def test_a_chart_as_distortion_moves_its_images():
    class Bends(stnkit.distortions.WarpDistortion):
        def __init__(self):
            super().__init__(OnCylinder(), stnkit.build("sampler", "bilinear"), (12, 12))

        def sample(self, n, generator):
            return self.family.identity().float().repeat(n, 1)

    pose = pose_cases.prepared(stnkit.build("transform", "affine"), Bends(), SHAPE)
    theta = torch.tensor([[1.0, 0, 0, 0, 1, 0]])
    measured = pose.measure(pose_cases.batch_of(theta, theta))
    assert measured["corner_error"].item() > 1
