"""Broken plugins, as really installed distributions: everything else works, and everybody is told why."""

import dataclasses
import json
import os
import shutil
import tomllib
import warnings

import pytest

import stnkit
from stnkit.plugin_system.registry import PluginWarning, plugin_registry
from tests.helpers import CLI, ROOT


def transform(name, constructor="def __init__(self): super().__init__()", before=""):
    """A plugin with one transform, T(p) = p + θ."""
    return (
        f"import torch, stnkit\n{before}\n"
        "class Shift(stnkit.TransformFamily):\n"
        "    n_params = 2\n"
        f"    {constructor}\n"
        "    def identity(self): return torch.zeros(2, dtype=torch.float64)\n"
        "    def forward(self, theta, points): return points + theta[:, None]\n"
        "@stnkit.hookimpl\n"
        f"def stnkit_components(): return [stnkit.Component('{name}', Shift)]\n"
    )


def hook(body, name="stnkit_components()", before=""):
    return f"import stnkit\n{before}\n@stnkit.hookimpl\ndef {name}:\n    {body}\n"


def configurable(parameters, before=""):
    return lambda name: transform(name, f"def __init__(self, {parameters}): super().__init__()", before)


ALLOWED = "expected bool, int, float, str, Path, Enum, Literal, and lists"
# Case: the module of the plugin `transform.NAME`, given NAME; what the reason says.
MODULES = {
    "import_error": (lambda name: "import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
    "syntax_error": (lambda name: "def (:", "SyntaxError: invalid syntax"),
    "error_on_import": (lambda name: "raise ValueError('two\\nlines')", "ValueError: two lines"),
    "exit_on_import": (lambda name: "import sys; sys.exit(3)", "SystemExit: 3"),
    "base_exception": (lambda name: "class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
    "exception_in_the_hook": (lambda name: hook("raise KeyError('lost')"), "KeyError: 'lost'"),
    "exception_on_the_way": (
        lambda name: transform(name) + "    yield stnkit.Component('x', int)",
        "IndentationError",
    ),
    "hook_returns_nothing": (lambda name: hook("pass"), "stnkit_components returns None"),
    "misspelt_hook": (
        lambda name: hook("return []", "stnkit_component()"),
        "unknown hook 'stnkit_component'; the hooks are stnkit_components, stnkit_callbacks",
    ),
    "wrong_argument_of_a_hook": (lambda name: hook("return []", "stnkit_components(config)"), "Argument.*config"),
    "hook_without_its_mark": (
        lambda name: transform(name).replace("@stnkit.hookimpl\n", ""),
        "stnkit_components is not marked with @stnkit.hookimpl",
    ),
    "no_hook": (lambda name: "import stnkit", "implements no hook of stnkit"),
    "no_component": (lambda name: hook("return [7]"), "expected a stnkit.Component, got 7"),
    "no_class": (lambda name: hook("return [stnkit.Component('x', 7)]"), "expected a class, got 7"),
    "no_base_class": (
        lambda name: hook("return [stnkit.Component('x', int)]"),
        "derives from no base class of stnkit",
    ),
    "bad_name": (
        lambda name: hook("return [stnkit.Component('a b', int)]"),
        "expected the name of a component to be a letter",
    ),
    "open_abstract_method": (
        lambda name: hook("return [stnkit.Component('x', Half)]", before="class Half(stnkit.Sampler): pass"),
        "Half does not implement forward",
    ),
    "newer_api": (lambda name: "stnkit_api = 99\n" + transform(name), "plugin API 99.*install a newer stnkit"),
    "older_api": (lambda name: "stnkit_api = 0\n" + transform(name), "plugin API 0.*install a newer plugin"),
    "no_api": (lambda name: "stnkit_api = '1.0'\n" + transform(name), "stnkit_api: expected a whole number, got '1.0'"),
    "tensor": (configurable("kernel: torch.Tensor"), f"parameter kernel .*: {ALLOWED}.*, got the type Tensor"),
    "list_of_tensors": (
        configurable("x: list[torch.Tensor]"),
        f"parameter x .*: {ALLOWED}.*, got the type list.torch.Tensor.",
    ),
    "module": (configurable("inner: stnkit.Sampler"), f"parameter inner .*: {ALLOWED}.*, got the type Sampler"),
    "function": (
        configurable("f: Callable[[int], int]", "from collections.abc import Callable"),
        f"parameter f .*: {ALLOWED}.*, got the type Callable",
    ),
    "args": (configurable("*shapes"), r"parameter \*shapes of its constructor cannot be set by a config"),
    "kwargs": (configurable("a: int = 1, **more"), r"parameter \*\*more of its constructor cannot be set by a config"),
    "positional_only": (configurable("radius: float, /"), "parameter radius .* is positional only"),
    "unresolvable": (
        configurable("radius: float = 1.0, shape: 'Shape' = 1"),
        "annotation 'Shape' of the parameter shape .* cannot be resolved: name 'Shape' is not defined",
    ),
    "default_of_no_yaml": (configurable("x=torch.zeros(2)"), f"parameter x .*: {ALLOWED}.*, got the default tensor"),
    "default_of_another_type": (
        configurable("radius: float = None"),
        "parameter radius .*: expected float, got the default None",
    ),
    "parameter_called_name": (configurable("name: str = 'x'"), "parameter name .* needs another name"),
    "no_type_at_all": (configurable("radius: 3.0 = 3.0"), "parameter radius .*: expected 3.0, got the default 3.0"),
}


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


def test_unreadable_entry_points_are_listed_and_others_load(make_distribution, stnkit_main):
    make_distribution("readable", {"readable": transform("read")}, {"transform.read": "readable"})
    folder = make_distribution("unreadable", {}, {"transform.x": "x"})
    (folder / "unreadable-1.0.dist-info" / "entry_points.txt").write_text("[console_scripts]\nno equals sign\n")
    make_distribution("odd", {}, {"transform.odd": "no module: at all"})
    assert "plugins" in stnkit_main("--help")[1]
    with pytest.warns(PluginWarning) as caught:
        reasons = {broken.source.distribution: broken.reason for broken in plugin_registry().broken}
    assert len(caught) == 2
    assert reasons["unreadable"].startswith("its entry_points.txt cannot be read: TypeError")
    assert reasons["odd"] == "entry point: expected the name of a module, got 'no module: at all'"
    assert len(reasons) == 2
    assert stnkit.build("transform", "read").n_params == 2
    assert stnkit.build("transform", "affine").n_params == 6
    assert not plugin_registry().conflicts


def test_ctrl_c_during_an_import_is_no_broken_plugin(make_distribution):
    make_distribution("stopped", {"stopped_plugin": "raise KeyboardInterrupt"}, {"transform.x": "stopped_plugin"})
    with pytest.raises(KeyboardInterrupt):
        plugin_registry()


def test_a_distribution_that_is_on_the_path_twice_is_found_once(make_distribution, tmp_path, monkeypatch):
    # As an editable install beside a stale dist-info.
    folder = make_distribution("two-times", {"two_times": transform("only")}, {"transform.only": "two_times"})
    shutil.copytree(folder, tmp_path / "again")
    monkeypatch.syspath_prepend(str(tmp_path / "again"))
    assert len(plugin_registry().providers("transform", "only")) == 1
    assert stnkit.build("transform", "only").n_params == 2


def test_a_module_may_have_an_entry_point_for_each_component(make_distribution, monkeypatch):
    both = transform("one").replace("stnkit.Component('one', Shift)", "stnkit.Component(n, Shift) for n in ('p', 'q')")
    make_distribution("pair", {"pair": both}, {"transform.p": "pair", "transform.q": "pair"})
    assert [entry.source.entry_point for n in "pq" for entry in plugin_registry().providers("transform", n)] == [
        "transform.p",
        "transform.q",
    ]
    plugin_registry.cache_clear()
    monkeypatch.setenv("STNKIT_DISABLE_PLUGINS", "pair:transform.p")
    assert {"q"} == {entry.name for entry in plugin_registry().registered if entry.source.distribution == "pair"}


def test_output_and_warnings_of_a_plugin_import_break_nothing(make_distribution, stnkit_main):
    noise = "import warnings\nprint('hello')\nwarnings.warn('mind\\nthe gap')\n"
    make_distribution("noisy", {"noisy": noise + transform("noise")}, {"transform.noise": "noisy"})
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        code, out, err = stnkit_main("plugins", "--json")
    assert code == 0
    assert "noise" in [component["name"] for component in json.loads(out)["components"]]
    assert json.loads(out)["broken"] == []
    assert err.splitlines() == ["hello", "warning: mind the gap"]


def test_a_tensor_parameter_with_a_default_is_allowed(make_distribution):
    text = configurable("kernel: torch.Tensor | None = None, radius: 'float' = 1")("optional")
    make_distribution("optional", {"optional_plugin": text}, {"transform.optional": "optional_plugin"})
    assert stnkit.build("transform", "optional", radius=2)
    with pytest.raises(stnkit.errors.InputError, match=r"option kernel: expected .*Tensor \| None, got 'x'"):
        stnkit.build("transform", "optional", kernel="x")


def test_the_version_of_the_hooks_that_there_is_now_may_be_named(make_distribution):
    make_distribution("current", {"current": "stnkit_api = 1\n" + transform("now")}, {"transform.now": "current"})
    assert stnkit.build("transform", "now").n_params == 2


def test_a_user_file_that_hides_a_component_is_refused(stnkit_main, tmp_path):
    (tmp_path / "mine" / "transform").mkdir(parents=True)
    (tmp_path / "mine" / "transform" / "fine.yaml").write_text("defaults: [tps]\ncontrol_points: [5, 5]\n")
    for text, place in (
        ("control_points: [5, 5]", f"file://{tmp_path}/mine/transform/tps.yaml"),
        ("name: affine", "transform/tps.yaml of the config search path"),  # Hydra itself stumbles over this one
    ):
        (tmp_path / "mine" / "transform" / "tps.yaml").write_text(text)
        code, _, err = stnkit_main("train", "--config-dir", "mine", "transform=tps", "training.progress=false")
        assert code == 2
        (line,) = err.splitlines()
        assert f"transform 'tps' is both a component and a file, {place}" in line
    # A file under a name of its own sets options of a component.
    (tmp_path / "mine" / "transform" / "tps.yaml").unlink()
    code, out, err = stnkit_main("train", "--config-dir", "mine", "transform=fine", "--cfg", "job")
    assert code == 0, err
    assert "name: tps" in out
    assert "- 5" in out


def test_a_conf_file_that_hides_a_component_is_reported(stnkit_process, tmp_path):
    # stnkit itself as an installed distribution, beside the one in use, with one file more in its conf.
    site = tmp_path / "site"
    for source, target in (("stnkit", "stnkit"), ("plugins", "stnkit_plugins"), ("conf", "stnkit/conf")):
        shutil.copytree(ROOT / source, site / target, ignore=shutil.ignore_patterns("__pycache__"))
    (site / "stnkit" / "conf" / "transform").mkdir()
    (site / "stnkit" / "conf" / "transform" / "affine.yaml").write_text("name: affine\nndim: 3\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = site / "stnkit-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stnkit\nVersion: 9.9\n")
    entry_points = [f"{key} = {module}" for key, module in project["entry-points"]["stnkit"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[stnkit]", *entry_points]))

    environment = os.environ | {"PYTHONPATH": str(site)}
    code = (
        "import sys\n"
        "for name in [*sys.modules]:\n"
        "    if name.partition('.')[0] in ('stnkit', 'stnkit_plugins'):\n"
        "        del sys.modules[name]\n"
        f"{CLI}"
    )
    processes = [
        stnkit_process(*arguments, code=code, env=environment)
        for arguments in (["plugins", "--json"], ["train", "transform.ndim=2"])
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    reason = "transform 'affine' is both a component and a file, pkg://stnkit.conf/transform/affine.yaml of stnkit"
    assert [process.returncode for process in processes] == [0, 2], outputs
    errors = [err.splitlines() for _, err in outputs]
    for lines in errors:
        assert lines[0].startswith(f"warning: {reason}")
    assert [len(lines) for lines in errors] == [1, 2]
    assert errors[1][1].startswith(f"stnkit train: {reason}")
    told = json.loads(outputs[0][0])
    assert [(row["entry_point"], row["version"]) for row in told["broken"]] == [("transform.affine", "9.9")]
    assert told["broken"][0]["reason"].startswith(reason)


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
