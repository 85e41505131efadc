"""Entry points as they are found: each module once, and the module of its own distribution."""

import base64
import colorsys  # noqa: F401 a module of Python that is loaded before any plugin
import hashlib
import json
import shutil
import warnings

import pytest

import stnkit
from stnkit.plugin_system.registry import PluginWarning, plugin_registry
from tests.plugin_system.broken_modules import transform


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


def test_the_version_of_the_hooks_that_there_is_now_may_be_named(make_distribution):
    make_distribution("current", {"current": "stnkit_api = 1\n" + transform("now")}, {"transform.now": "current"})
    assert stnkit.build("transform", "now").n_params == 2


def broken_alone():
    """Distribution and reason of the only broken plugin, which is warned of once."""
    with pytest.warns(PluginWarning) as caught:
        (broken,) = plugin_registry().broken
    assert len(caught) == 1
    assert not plugin_registry().conflicts
    return broken.source.distribution, broken.reason


def test_the_owner_of_a_module_of_one_name_works(make_distribution, stnkit_main):
    for name in ("loser", "winner"):  # the last one is the first on the path
        folder = make_distribution(name, {"one_name": transform(f"of_{name}")}, {f"transform.of_{name}": "one_name"})
    distribution, reason = broken_alone()
    assert distribution == "loser"
    assert reason == (
        f"Python finds another module of the name one_name, {folder}/one_name.py, of winner 1.0: "
        f"the module of one of the two needs another name"
    )
    assert stnkit.build("transform", "of_winner").n_params == 2
    with pytest.raises(stnkit.errors.UnknownNameError, match=r"of_loser.*is broken: Python finds another module"):
        stnkit.build("transform", "of_loser")
    code, out, err = stnkit_main("plugins", "--json")
    assert (code, err) == (0, "")
    assert [row["entry_point"] for row in json.loads(out)["broken"]] == ["transform.of_loser"]


def test_the_owner_of_a_package_of_one_name_works(make_distribution):
    for name, module in (("loser", "a"), ("winner", "b")):
        files = {"one_package/__init__.py": "", f"one_package/{module}.py": transform(f"in_{name}")}
        folder = make_distribution(name, files, {f"transform.in_{name}": f"one_package.{module}"})
    distribution, reason = broken_alone()
    assert distribution == "loser"
    place = f"{folder}/one_package/__init__.py"
    assert reason.startswith(f"Python finds another module of the name one_package, {place}, of winner 1.0: ")
    assert stnkit.build("transform", "in_winner").n_params == 2


def test_a_module_with_the_name_of_one_of_python_is_told(make_distribution):
    make_distribution("colors", {"colorsys": transform("color")}, {"transform.color": "colorsys"})
    make_distribution("builtins", {"sys": transform("built")}, {"transform.built": "sys"})
    with pytest.warns(PluginWarning):
        reasons = {broken.source.distribution: broken.reason for broken in plugin_registry().broken}
    assert reasons["colors"].startswith("Python finds another module of the name colorsys, /")
    assert reasons["builtins"].startswith("Python finds another module of the name sys, which is built into Python: ")


def test_the_distribution_that_was_overwritten_is_broken(make_distribution):
    # pip lets the second package write over a file of the first one; each RECORD has the hash of its own.
    texts = {name: transform(f"from_{name}") for name in ("first", "second")}
    folder = make_distribution("first", {"same_file": texts["first"]}, {"transform.from_first": "same_file"})
    other = make_distribution("second", {"same_file": texts["second"]}, {"transform.from_second": "same_file"})
    shutil.copytree(other, folder, dirs_exist_ok=True)
    shutil.rmtree(other)
    for name, text in texts.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        (folder / f"{name}-1.0.dist-info" / "RECORD").write_text(f"same_file.py,sha256={digest},{len(text)}\n")
    distribution, reason = broken_alone()
    assert distribution == "first"
    assert f"{folder}/same_file.py, of second 1.0" in reason
    assert stnkit.build("transform", "from_second").n_params == 2


def test_the_module_of_an_editable_install_lies_in_its_folder(make_distribution, tmp_path, monkeypatch):
    for name in ("loser", "winner"):
        site = make_distribution(name, {}, {f"transform.edited_{name}": "edited"})
        source = tmp_path / f"source of {name}"
        source.mkdir()
        (source / "edited.py").write_text(transform(f"edited_{name}"))
        origin = {"url": source.as_uri(), "dir_info": {"editable": True}}
        (site / f"{name}-1.0.dist-info" / "direct_url.json").write_text(json.dumps(origin))
        (site / f"{name}-1.0.dist-info" / "RECORD").write_text("__editable__.pth,,\n")
        monkeypatch.syspath_prepend(str(source))
    distribution, reason = broken_alone()
    assert distribution == "loser"
    assert "source of winner/edited.py, of winner 1.0" in reason
    assert stnkit.build("transform", "edited_winner").n_params == 2


def test_distributions_that_share_a_namespace_all_work(make_distribution):
    for name in ("a", "b"):
        make_distribution(f"part-{name}", {f"shared_space/{name}.py": transform(name)}, {
            f"transform.{name}": f"shared_space.{name}"
        })  # fmt: skip
    make_distribution("part-c", {"shared_space/c.py": "import no_such_thing"}, {"transform.c": "shared_space.c"})
    assert broken_alone() == ("part-c", "ModuleNotFoundError: No module named 'no_such_thing'")
    assert stnkit.build("transform", "a").n_params == stnkit.build("transform", "b").n_params == 2
