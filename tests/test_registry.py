import warnings

import pytest

import stnkit
from stnkit.registry import PluginWarning, registry

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

BROKEN = {
    "import error": ("import no_such_module_at_all", "ModuleNotFoundError.*no_such_module_at_all"),
    "syntax error": ("def (:", "SyntaxError"),
    "exit on import": ("import sys; sys.exit(3)", "SystemExit"),
    "exception in the hook": (
        "import stnkit\n@stnkit.hookimpl\ndef stnkit_components():\n    raise KeyError('lost')\n",
        "KeyError: 'lost'",
    ),
    "misspelt hook": (
        "import stnkit\n@stnkit.hookimpl\ndef stnkit_component():\n    return []\n",
        "unknown hook 'stnkit_component'",
    ),
    "no hook": ("import stnkit\n", "implements no hook"),
    "no component": (
        "import stnkit\n@stnkit.hookimpl\ndef stnkit_components():\n    yield 7\n",
        "yields 7, which is no stnkit.Component",
    ),
    "open abstract method": (
        "import stnkit\nclass Half(stnkit.Sampler):\n    pass\n@stnkit.hookimpl\ndef stnkit_components():\n"
        "    yield stnkit.Component('half', Half)\n",
        "Half leaves open: forward",
    ),
    "no base class": (
        "import stnkit\n@stnkit.hookimpl\ndef stnkit_components():\n    yield stnkit.Component('number', int)\n",
        "derives from no base class of stnkit",
    ),
    "bad name": (
        "import stnkit\n@stnkit.hookimpl\ndef stnkit_components():\n    yield stnkit.Component('a b', int)\n",
        "name of a component must be",
    ),
}


def test_a_strangers_plugin_is_found_and_built(make_distribution):
    make_distribution("stranger", {"stranger_good": GOOD}, {"transform.halve": "stranger_good"})
    assert stnkit.build("transform", "halve", strength=0.5).strength == 0.5
    (entry,) = registry().providers("transform", "halve")
    assert (entry.source.distribution, entry.source.version) == ("stranger", "1.0")
    assert entry.component.summary == "T(p) = p · exp(theta)."


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_one_warning_and_a_row_with_the_reason(case, make_distribution):
    text, reason = BROKEN[case]
    module = "broken_" + case.replace(" ", "_")
    make_distribution(
        "breaks", {module: text, "breaks_good": GOOD}, {"x.bad": module, "transform.halve": "breaks_good"}
    )
    with pytest.warns(PluginWarning, match=reason) as caught:
        found = registry()
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    assert [b.source.distribution for b in found.broken] == ["breaks"]
    # Everything else goes on, the same distribution's other plugin included.
    assert {"affine", "halve"} <= set(found.names("transform"))
    with pytest.raises(stnkit.UnknownNameError, match=reason):
        stnkit.build("transform", "bad")


def test_strict_mode_raises_for_a_broken_plugin(make_distribution, monkeypatch):
    make_distribution("strictly", {"strictly_broken": "import no_such_module_at_all"}, {"x.bad": "strictly_broken"})
    monkeypatch.setenv("STNKIT_STRICT_PLUGINS", "1")
    with pytest.raises(stnkit.PluginError, match=r"strictly 1.0.*no_such_module_at_all"):
        registry()


def test_a_name_that_two_distributions_provide_is_an_error_only_for_who_asks(make_distribution):
    for name in ("first", "second"):
        make_distribution(name, {f"{name}_plugin": GOOD}, {"transform.halve": f"{name}_plugin"})
    assert stnkit.build("transform", "affine").ndim == 2
    with pytest.raises(stnkit.PluginError, match=r"provided twice, by first 1.0 .* and second 1.0"):
        stnkit.build("transform", "halve")


@pytest.mark.parametrize("blocked", ["second", "second:transform.halve", "other, second"])
def test_blocking_one_of_two_resolves_the_clash(blocked, make_distribution, monkeypatch):
    for name in ("first", "second"):
        make_distribution(name, {f"{name}_plugin": GOOD}, {"transform.halve": f"{name}_plugin"})
    monkeypatch.setenv("STNKIT_DISABLE_PLUGINS", blocked)
    assert stnkit.build("transform", "halve").strength == 1.0


def test_only_allowed_distributions_are_loaded(make_distribution, monkeypatch):
    make_distribution("only", {"only_plugin": GOOD}, {"transform.halve": "only_plugin"})
    make_distribution("never", {"never_plugin": "raise RuntimeError"}, {"x.bad": "never_plugin"})
    monkeypatch.setenv("STNKIT_PLUGINS", "only, stnkit:transform.affine")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry().names("transform") == ["affine", "halve"]
    assert registry().names("sampler") == []


def test_discovery_happens_once():
    assert registry() is registry()
