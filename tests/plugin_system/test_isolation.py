"""Broken plugins, as really installed distributions: everything else works, and everybody is told why."""

import dataclasses
import json
import os

import pytest

import stnkit
from stnkit.plugin_system.registry import PluginWarning, plugin_registry
from tests.plugin_system.broken_modules import MODULES, configurable, hook, transform


@dataclasses.dataclass
class Case:
    """What is installed, and what must be said about it.

    `asked` is the (kind, name) that nobody can have.
    """

    asked: tuple[str, str]
    reason: str
    broken: list[str]


def one_module(case, make):
    text, reason = MODULES[case]
    name = f"bad_{case}"
    make(
        "breaks",
        {f"breaks_{case}": text(name), f"breaks_beside_{case}": transform(f"beside_{case}")},
        {f"transform.{name}": f"breaks_{case}", f"transform.beside_{case}": f"breaks_beside_{case}"},
    )
    return Case(("transform", name), reason, ["breaks"])


def clash(make):
    for name in ("first", "second"):
        make(name, {f"clash_{name}": transform("twice")}, {"transform.twice": f"clash_{name}"})
    reason = r"provided twice, by (first|second) 1.0 .* and (first|second) 1.0"
    return Case(("transform", "twice"), reason, ["first", "second"])


def yaml_of_a_plugin(make):
    files = {"hiding/__init__.py": "", "hiding/conf/__init__.py": "", "hiding/conf/transform/tps.yaml": "nonsense: 1"}
    make("hides", files | {"hiding_hooks": hook("return ['pkg://hiding.conf']", "stnkit_search_paths()")}, {
        "search_path.hiding": "hiding_hooks"
    })  # fmt: skip
    return Case(("transform", "tps"), "pkg://hiding.conf/transform/tps.yaml of hides 1.0", ["stnkit"])


CASES = {case: lambda make, case=case: one_module(case, make) for case in MODULES} | {
    "name_clash": clash,
    "yaml_of_a_plugin": yaml_of_a_plugin,
}


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("case", CASES)
def test_a_broken_plugin_is_reported_and_breaks_nothing_else(case, make_distribution, stnkit_main):
    told = CASES[case](make_distribution)
    kind, name = told.asked

    with pytest.warns(PluginWarning, match=told.reason) as caught:
        found = plugin_registry()
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)

    # A row for each plugin that is concerned, with the reason.
    code, out, err = stnkit_main("plugins", "--json")
    assert (code, err) == (0, "")
    listed = json.loads(out)
    assert sorted(row["distribution"] for row in listed["broken"]) == told.broken
    for row in listed["broken"]:
        with pytest.raises(AssertionError, match=told.reason):
            raise AssertionError(row["reason"])
        assert row["entry_point"] == f"{kind}.{name}"
        assert "\n" not in row["reason"]
    code, out, err = stnkit_main("plugins")
    assert (code, err) == (0, "")
    assert "broken" in out

    # Whoever asks for it gets the reason, and the reason alone.
    with pytest.raises(stnkit.errors.StnkitError, match=told.reason) as error:
        stnkit.build(kind, name)
    assert "\n" not in str(error.value)
    code, _, err = stnkit_main("train", f"{kind}={name}", "hydra.run.dir=run", "training.progress=false")
    assert code == 2
    (line,) = [line for line in err.splitlines() if not line.startswith("[")]
    assert line == f"stnkit train: {error.value}"

    # Everything else goes on, the same distribution's other plugin included.
    assert stnkit.build("transform", "affine").ndim == 2
    assert stnkit.build("sampler", "bilinear")
    if told.broken == ["breaks"]:
        assert stnkit.build("transform", f"beside_{case}").n_params == 2
        assert {e.name for e in found.registered if e.source.distribution == "breaks"} == {f"beside_{case}"}


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("case", CASES)
def test_strict_mode_raises_instead(case, make_distribution, monkeypatch):
    told = CASES[case](make_distribution)
    monkeypatch.setenv("STNKIT_STRICT_PLUGINS", "1")
    with pytest.raises(stnkit.errors.PluginError, match=told.reason):
        plugin_registry()


def test_the_reason_of_the_requested_plugin_comes_first(make_distribution):
    modules = {f"several_{n}": f"raise RuntimeError('reason {n}')" for n in (1, 2, 3)}
    make_distribution("several", modules, {f"transform.bad{n}": f"several_{n}" for n in (1, 2, 3)})
    with pytest.warns(PluginWarning):
        plugin_registry()
    with pytest.raises(stnkit.errors.UnknownNameError) as error:
        stnkit.build("transform", "bad2")
    asked, others = str(error.value).split("(also broken: ")
    assert "that of several 1.0 (several_2) is broken: RuntimeError: reason 2; the transforms are: affine" in asked
    assert others == "transform.bad1, transform.bad3)"
    with pytest.raises(stnkit.errors.UnknownNameError, match=r"no transform 'other'.*reason 1.*reason 2.*reason 3"):
        stnkit.build("transform", "other")


def test_a_tensor_parameter_with_a_default_is_allowed(make_distribution):
    text = configurable("kernel: torch.Tensor | None = None, radius: 'float' = 1")("optional")
    make_distribution("optional", {"optional_plugin": text}, {"transform.optional": "optional_plugin"})
    assert stnkit.build("transform", "optional", radius=2)
    with pytest.raises(stnkit.errors.InputError, match=r"option kernel: expected .*Tensor \| None, got 'x'"):
        stnkit.build("transform", "optional", kernel="x")


def test_training_warns_in_one_line_about_each_broken_plugin(make_distribution, stnkit_process):
    chosen = ["import_error", "exit_on_import", "misspelt_hook", "newer_api", "tensor"]
    folder = make_distribution(
        "worst",
        {f"worst_{case}": MODULES[case][0](case) for case in chosen} | {"worst_good": transform("good")},
        {f"transform.{case}": f"worst_{case}" for case in chosen} | {"transform.good": "worst_good"},
    )
    quick = ["network=paper_fcn", "network.hidden=[8]", "localizer=fully_connected", "training.epochs=1"]
    process = stnkit_process(
        *("train", "transform=good", *quick, "training.progress=false"),
        env=os.environ | {"PYTHONPATH": str(folder)},
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "test error" in out
    lines = err.splitlines()
    assert len(lines) == len(chosen)
    for case, line in zip(chosen, lines, strict=True):
        assert line.startswith(f"warning: plugin transform.{case} of worst 1.0 (worst_{case}) is left out: ")
