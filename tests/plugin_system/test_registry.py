import warnings

import pytest

import stnkit
from stnkit.plugin_system.registry import PluginWarning, plugin_registry

GOOD = """
import torch, stnkit

class Halve(stnkit.TransformFamily):
    \"\"\"T(p) = p · exp(theta).\"\"\"
    n_params = 1

    def __init__(self, strength: float = 1.0):
        super().__init__()
        self.strength = strength

    def identity(self):
        return torch.zeros(1, dtype=torch.float64)

    def forward(self, theta, points):
        return points * torch.exp(self.strength * theta)[..., None]

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("halve", Halve)
"""


def test_a_strangers_plugin_is_found_and_built(make_distribution):
    make_distribution("stranger", {"stranger_good": GOOD}, {"transform.halve": "stranger_good"})
    assert stnkit.build("transform", "halve", strength=0.5).strength == 0.5
    (entry,) = plugin_registry().providers("transform", "halve")
    assert (entry.source.distribution, entry.source.version) == ("stranger", "1.0")
    assert entry.component.summary == "T(p) = p · exp(theta)."


def test_a_misnamed_entry_point_leaves_its_component_usable(make_distribution):
    make_distribution("stranger", {"stranger_typo": GOOD}, {"transform.half": "stranger_typo"})
    reason = "does not yield what its entry point announces, transform.half: it yields transform.halve"
    with pytest.warns(PluginWarning, match=reason):
        assert stnkit.build("transform", "halve").strength == 1.0
    with pytest.raises(stnkit.errors.UnknownNameError, match=f"there is no transform 'half': .*{reason}"):
        stnkit.build("transform", "half")


def test_a_name_provided_twice_fails_only_if_requested(make_distribution):
    for name in ("first", "second"):
        make_distribution(name, {f"{name}_plugin": GOOD}, {"transform.halve": f"{name}_plugin"})
    with pytest.warns(PluginWarning, match=r"'halve' is provided twice, by first 1.0 .* and second 1.0"):
        assert stnkit.build("transform", "affine").ndim == 2
    with pytest.raises(stnkit.errors.PluginError, match=r"provided twice, by first 1.0 .* and second 1.0"):
        stnkit.build("transform", "halve")


def test_names_of_the_same_two_are_told_in_one_sentence(make_distribution):
    names = [f"halve_{n}" for n in range(10)]
    many = GOOD.replace('    yield stnkit.Component("halve", Halve)\n', "")
    many += f"    for name in {names}: yield stnkit.Component(name, Halve)\n"
    keys = {f"transform.{name}" for name in names}
    make_distribution("first", {"first_many": many}, dict.fromkeys(keys, "first_many"))
    entries = dict.fromkeys(keys, "second_many") | {"transform.lost": "second_lost"}
    make_distribution("second", {"second_many": many, "second_lost": "import no_such_module"}, entries)
    with pytest.warns(PluginWarning) as caught:
        plugin_registry()
    lost, told = sorted((str(warning.message) for warning in caught), key=lambda text: "twice" in text)
    assert "second_lost" in lost
    listed = ", ".join(f"transform {name!r}" for name in names[:5])
    assert told == (
        f"{listed} and 5 more are provided twice, by first 1.0 and second 1.0: uninstall or block one of them"
    )
    with pytest.raises(stnkit.errors.UnknownNameError) as raised:
        stnkit.build("transform", "lost")
    also = ", ".join(f"transform.{name}" for name in names[:5])
    assert str(raised.value).endswith(f" (also broken: {also} and 5 more)")
    with pytest.raises(stnkit.errors.UnknownNameError) as raised:
        stnkit.build("transform", "other")
    reasons = str(raised.value).partition("(broken plugins: ")[2]
    assert reasons.startswith("transform.lost of second 1.0 (second_lost): ")
    assert reasons.endswith(" and 16 more)")
    with pytest.raises(
        stnkit.errors.PluginError, match=r"'halve_7' is provided twice, by first 1.0 \(first_many\) and"
    ):
        stnkit.build("transform", "halve_7")


def test_a_name_that_one_module_yields_twice_is_told_to_it(make_distribution):
    twice = f'{GOOD}    yield stnkit.Component("halve", Halve)\n'
    make_distribution("stranger", {"stranger_twice": twice}, {"transform.halve": "stranger_twice"})
    said = r"'halve' is provided twice by stranger 1.0 \(.*stranger_twice\), which must give one of the two another"
    with pytest.warns(PluginWarning, match=said):
        plugin_registry()
    with pytest.raises(stnkit.errors.PluginError, match=said):
        stnkit.build("transform", "halve")


@pytest.mark.parametrize("blocked", ["second", "second:transform.halve", "other, second"])
def test_blocking_one_of_two_resolves_the_clash(blocked, make_distribution, monkeypatch):
    for name in ("first", "second"):
        make_distribution(name, {f"{name}_plugin": GOOD}, {"transform.halve": f"{name}_plugin"})
    monkeypatch.setenv("STNKIT_DISABLE_PLUGINS", blocked)
    assert stnkit.build("transform", "halve").strength == 1.0


def test_a_class_under_two_names_is_two_components(make_distribution):
    both = GOOD + '    yield stnkit.Component("half_as_much", Halve)\n'
    make_distribution("mine", {"mine_both": both}, {"transform.halve": "mine_both"})
    assert type(stnkit.build("transform", "halve")) is type(stnkit.build("transform", "half_as_much", strength=2.0))


def test_blocking_what_a_distribution_lacks_is_told(make_distribution, monkeypatch):
    make_distribution("mine", {"mine_plugin": GOOD}, {"transform.halve": "mine_plugin"})
    monkeypatch.setenv("STNKIT_DISABLE_PLUGINS", "mine:transform.halv, away:transform.halve")
    said = "STNKIT_DISABLE_PLUGINS: mine has no entry point 'transform.halv'; it has transform.halve"
    with pytest.warns(PluginWarning) as caught:
        assert plugin_registry().names("transform").count("halve") == 1
    assert [str(warning.message) for warning in caught] == [said]


def test_only_allowed_distributions_are_loaded(make_distribution, monkeypatch):
    make_distribution("only", {"only_plugin": GOOD}, {"transform.halve": "only_plugin"})
    make_distribution("never", {"never_plugin": "raise RuntimeError"}, {"x.bad": "never_plugin"})
    monkeypatch.setenv("STNKIT_PLUGINS", "only, stnkit:transform.affine")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plugin_registry().names("transform") == ["affine", "halve"]
    assert plugin_registry().names("sampler") == []


def test_discovery_happens_once():
    assert plugin_registry() is plugin_registry()
