"""Plugins written for API 1 work, each with one warning that says what to rename."""

import sys
import warnings

import pytest
import torch

import stnkit
from stnkit.errors import RenamedWarning
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import ROOT

FIXTURES = ROOT / "tests" / "plugin_system" / "api_1"

pytestmark = pytest.mark.no_jaxtyping

# Overrides every method that is final now, and takes names from where they were.
OLD = """
import torch, stnkit

stnkit_api = 1
limit = stnkit.kept(lambda n: torch.full((n,), 2.0))

class Old(stnkit.TransformFamily):
    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return self.check_points(points, theta) + self.check_theta(theta)[:, None]

    def grid(self, theta, size):
        return super().grid(theta, size) + 0 * limit(2).to(theta.device)

    def inverse(self, theta, points):
        theta = self.check_theta(theta)
        return self.check_points(points, theta) - theta[:, None]

    def compose(self, outer, inner):
        return outer + inner

class Zoom(stnkit.MatrixFamily):
    affine, n_params = True, 1

    def __init__(self, unit: float = 1.0):
        super().__init__()
        if unit <= 0:
            raise stnkit.InputError("unit must be above 0")

    def identity(self):
        return torch.ones(1, dtype=torch.float64)

    def matrix(self, theta):
        scaled, last = theta.new_tensor([1.0, 1.0, 0.0]), theta.new_tensor([0.0, 0.0, 1.0])
        return theta[..., None] * torch.diag(scaled) + torch.diag(last)

    def from_matrix(self, matrix):
        return matrix[:, 0, :1]

def census(arguments):
    print("census", *arguments)
    return 0

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("old", Old)
    yield stnkit.Component("zoom", Zoom)

@stnkit.hookimpl
def stnkit_verbs():
    yield stnkit.Verb("census", census, "count")
"""
KEYS = {"transform.old": "old_style", "transform.zoom": "old_style", "verb.census": "old_style"}


@pytest.fixture
def old_plugin(make_distribution, monkeypatch):
    monkeypatch.delitem(sys.modules, "old_style", raising=False)  # its import is told too
    make_distribution("old-style", {"old_style": OLD}, KEYS)


@pytest.fixture
def old(old_plugin):
    with pytest.warns(RenamedWarning) as told:
        plugin_registry()
    return [str(warning.message) for warning in told if warning.category is RenamedWarning]


def test_all_renames_of_a_plugin_are_one_warning(old):
    (sentence,) = old
    assert sentence.startswith("plugin transform.old, transform.zoom, verb.census of old-style 1.0")
    assert "is written for plugin API 1 and works for now: " in sentence
    for part in (
        "stnkit.kept is now stnkit.families.cached",
        "stnkit.Verb is now stnkit.Command",
        "stnkit.MatrixFamily is now stnkit.families.MatrixFamily",
        "Old overrides grid, which is final since plugin API 2: rename it to _grid",
        "Old overrides inverse, which is final since plugin API 2: rename it to _inverse",
        "Old overrides compose, which is final since plugin API 2: rename it to _compose",
        "Zoom overrides matrix, which is final since plugin API 2: rename it to rows, without the last row",
        "Zoom overrides from_matrix, which is final since plugin API 2: rename it to _from_matrix",
        "rename the hook stnkit_verbs to stnkit_commands, and its entry points verb.NAME to command.NAME",
    ):
        assert part in sentence


def test_an_overridden_grid_inverse_and_compose_are_used(old):
    family = stnkit.build("transform", "old")
    theta, points = torch.tensor([[0.25, -0.5]]), torch.rand(1, 7, 2)
    lattice = stnkit.coordinates.lattice((3, 4))[None]
    torch.testing.assert_close(family.grid(theta, (3, 4)), lattice + theta[:, None, None])
    torch.testing.assert_close(family.inverse(theta, family(theta, points)), points)
    torch.testing.assert_close(family.compose(theta, theta), 2 * theta)


def test_a_matrix_in_place_of_rows_gives_grid_points_and_inverse(old):
    family = stnkit.build("transform", "zoom")
    theta, points = torch.tensor([[0.5]]), torch.rand(1, 7, 2)
    torch.testing.assert_close(family.grid(theta, (3, 4)), 0.5 * stnkit.coordinates.lattice((3, 4))[None])
    torch.testing.assert_close(family(theta, points), 0.5 * points)
    torch.testing.assert_close(family.inverse(theta, 0.5 * points), points)
    torch.testing.assert_close(family.compose(theta, theta), torch.tensor([[0.25]]))
    renamed = pytest.warns(RenamedWarning, match="stnkit.InputError is now stnkit.errors.InputError")
    with renamed, pytest.raises(stnkit.errors.InputError, match="unit must be above 0"):
        stnkit.build("transform", "zoom", unit=0.0)


@pytest.mark.filterwarnings("ignore::stnkit.errors.RenamedWarning")
def test_a_verb_is_a_command(old, stnkit_main):
    assert stnkit_main("census", "a", "b")[:2] == (0, "census a b\n")
    assert "census" in stnkit_main("--help")[1]


@pytest.mark.filterwarnings("ignore::stnkit.errors.RenamedWarning")
@pytest.mark.parametrize("name", ["old", "zoom"])
def test_a_component_of_api_1_passes_the_kit_until_it_says_2(old, name, monkeypatch):
    assert stnkit.testing.run(f"transform.{name}").ok
    monkeypatch.setattr(sys.modules["old_style"], "stnkit_api", 2)
    results = stnkit.testing.run(f"transform.{name}")
    assert [r.name for r in results.results if r.outcome == "failed"] == ["final_methods"]


@pytest.mark.slow
def test_the_first_example_package_works_as_it_was(make_distribution):
    modules = {f"swirl_{n}": (FIXTURES / f"swirl_{n}.py.txt").read_text() for n in ("transform", "sampler")}
    make_distribution("stnkit-swirl", modules, {"transform.swirl": "swirl_transform", "sampler.hann": "swirl_sampler"})
    with pytest.warns(RenamedWarning) as told:
        plugin_registry()  # the transform uses an old name in an error alone
    (sentence,) = [str(warning.message) for warning in told]
    assert "sampler.hann of stnkit-swirl 1.0" in sentence
    assert "stnkit.KernelSampler is now stnkit.samplers.KernelSampler" in sentence
    renamed = pytest.warns(RenamedWarning, match="stnkit.InputError is now stnkit.errors.InputError")
    with renamed, pytest.raises(stnkit.errors.InputError, match="radius must be above 0"):
        stnkit.build("transform", "swirl", radius=-1.0)
    for name in ("transform.swirl", "sampler.hann"):
        assert stnkit.testing.run(name).ok


@pytest.mark.parametrize("name", sorted(stnkit._RENAMED))
def test_every_name_of_api_1_is_there_with_a_warning(name):
    with pytest.warns(RenamedWarning, match=f"stnkit.{name} is now stnkit.{stnkit._RENAMED[name]}"):
        found = getattr(stnkit, name)
    assert found.__name__ in (name, stnkit._RENAMED[name].split(".")[-1])


def test_the_old_names_of_parameters_and_attributes_work():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3))
    components = {"transform": "affine", "localizer": "fully_connected", "sampler": "bilinear"}
    with pytest.warns(RenamedWarning, match="insert_transformers: the parameter places is now points"):
        stnkit.insert_transformers(network, places={"input": components}, example_input=torch.rand(1, 1, 9, 9))
    transformer = network[0].spatial_transformer
    with pytest.warns(RenamedWarning, match="SpatialTransformer.theta is now theta_probe"):
        assert transformer.theta is transformer.theta_probe
    clamp = torch.nn.Hardtanh(-0.5, 0.5)
    transformer.theta = clamp  # told once is enough
    assert transformer.theta_probe is clamp
    assert transformer.localize(torch.rand(1, 1, 9, 9))[0, 0] == 0.5


# What authors of API 1 wrote, and the grid of its identity: (y, x) of a mirror and of a shift are negated or moved.
SHIFT = """
    affine, n_params = True, 2
    def identity(self):
        return torch.zeros(2, dtype=torch.float64)
    def rows(self, theta):
        return torch.cat([torch.eye(2).expand(len(theta), -1, -1), theta[..., None]], -1)
    def matrix(self, theta):
        return stnkit.coordinates.with_last_row(self.rows(theta))
"""


@pytest.mark.filterwarnings("ignore::stnkit.errors.RenamedWarning")
def test_matrix_and_rows_of_api_1_may_call_each_other_and_super():
    namespace = {"stnkit": stnkit, "torch": torch}
    exec("class Shift(stnkit.MatrixFamily):" + SHIFT, namespace)
    shift = namespace["Shift"]
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))

    class Mirror(shift):
        def matrix(self, theta):
            return super().matrix(theta) @ mirror.to(theta)

    class Twice(Mirror):
        def matrix(self, theta):
            return super().matrix(theta) @ mirror.to(theta)

    affine = type(stnkit.build("transform", "affine"))

    class Turned(affine):
        def matrix(self, theta):
            return stnkit.coordinates.with_last_row(self.rows(theta)) @ mirror.to(theta)

    theta, points = torch.tensor([[0.25, 0.5]]), torch.tensor([[[0.5, 0.0]]])
    assert Mirror()(theta, points).tolist() == [[[-0.25, 0.5]]]
    assert Mirror().grid(theta, (1, 2)).tolist() == [[[[0.75, 0.5], [-0.25, 0.5]]]]
    assert Twice()(theta, points).tolist() == [[[0.75, 0.5]]]
    identity = affine().identity()[None].float()
    assert Turned()(identity, points).tolist() == [[[-0.5, 0.0]]]
    assert Turned().inverse(identity, points).tolist() == [[[-0.5, 0.0]]]


def test_a_module_is_told_once_and_by_name(make_distribution):
    make_distribution("sampling", {"sampling": "import stnkit\ndef draw(): return stnkit.uniform"}, {})
    from sampling import draw

    with pytest.warns(RenamedWarning) as told:
        assert draw() is draw() is stnkit.distortions.uniform
    assert [str(w.message) for w in told] == ["stnkit.uniform is now stnkit.distortions.uniform (in sampling)"]
    assert told[0].filename.endswith("sampling.py")


def test_both_names_of_a_parameter_are_refused():
    named = pytest.raises(stnkit.errors.InputError, match="expected points, got both points and its old name places")
    with pytest.warns(RenamedWarning), named:
        stnkit.insert_transformers(torch.nn.Identity(), points={}, places={}, example_input=torch.rand(1, 1, 9, 9))


# One module for both versions of the API.
BOTH = """
import warnings, stnkit

{setting}
def solo(arguments):
    return 0

@stnkit.hookimpl
def stnkit_commands():
    yield stnkit.Command("solo", solo, "alone")

@stnkit.hookimpl
def stnkit_verbs():
    raise AssertionError
"""


def test_a_plugin_for_both_versions_has_its_command_once(make_distribution, stnkit_main):
    keys = {"verb.solo": "both", "command.solo": "both"}
    make_distribution("both", {"both": BOTH.format(setting="")}, keys)
    assert not plugin_registry().broken
    assert [command.name for command, _ in plugin_registry().commands] == ["solo"]
    assert stnkit_main("solo") == (0, "", "")
    assert stnkit_main("--help")[1].count("both 1.0") == 1


def test_a_warning_as_an_error_leaves_no_plugin_out(old_plugin):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RenamedWarning)
        with pytest.raises(RenamedWarning, match="is written for plugin API 1"):
            plugin_registry()
    assert "old" in plugin_registry().names("transform")
    assert not plugin_registry().broken


def test_the_filters_of_a_plugin_stay_as_its_import_sets_them(make_distribution):
    setting = "warnings.filterwarnings('ignore', message='noise of both')"
    with warnings.catch_warnings():
        make_distribution("both", {"both_filtering": BOTH.format(setting=setting)}, {"command.solo": "both_filtering"})
        plugin_registry()
        assert any("noise of both" in str(rule[1]) for rule in warnings.filters)


@pytest.mark.filterwarnings("default::stnkit.errors.RenamedWarning")
def test_a_command_of_api_1_is_told_in_one_warning(old_plugin, stnkit_main):
    code, out, err = stnkit_main("census", "a")
    assert (code, out) == (0, "census a\n")
    (line,) = err.splitlines()
    assert line.startswith("warning: plugin transform.old, transform.zoom, verb.census of old-style 1.0")
