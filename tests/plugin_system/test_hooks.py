"""The hooks: each is documented in docs/hooks.md, and its example there works when it is installed."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest
import torch

import stnkit
from stnkit.plugin_system import hookspecs
from stnkit.plugin_system.registry import PluginWarning, plugin_registry
from stnkit.plugin_system.search_paths import check_search_path
from tests.helpers import QUICK, ROOT, hook_module, metrics

PAGE = (ROOT / "docs" / "hooks.md").read_text()
SECTIONS = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
HOOKS = sorted({name for name in vars(hookspecs) if name.startswith("stnkit_")} - hookspecs.RENAMED_HOOKS.keys())


def block(hook, language="python"):
    return re.search(rf"^```{language}\n(.*?)^```", SECTIONS[hook], re.DOTALL | re.MULTILINE)[1]


def test_every_hook_is_documented_with_an_example():
    assert sorted(SECTIONS) == HOOKS
    for hook in HOOKS:
        assert f"@stnkit.hookimpl\ndef {hook}(" in block(hook)
        assert f"`{hook}`" in PAGE.split("## `")[0]


def test_every_hook_has_a_test_of_its_name():
    tests = [name for name in globals() if name.startswith("test_hook_")]
    for hook in HOOKS:
        assert [name for name in tests if name.startswith(f"test_hook_{hook}")], hook


def test_hook_stnkit_components_selects_by_name(make_distribution):
    make_distribution("my-package", {"hook_halve": block("stnkit_components")}, {"transform.halve": "hook_halve"})
    assert stnkit.build("transform", "halve", rate=2.0).rate == 2.0


@pytest.mark.training
def test_hook_stnkit_callbacks_belong_to_every_run(make_distribution, stnkit_main):
    make_distribution("my-package", {"hook_steps": block("stnkit_callbacks")}, {"callbacks.steps": "hook_steps"})
    assert stnkit_main("train", *QUICK, "placement=none", "hydra.run.dir=run")[0] == 0
    assert int(Path("run/steps.txt").read_text()) == metrics("run")["step"]
    state = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    assert state["callbacks"]["CountSteps"] == {"steps": metrics("run")["step"]}


def test_hook_stnkit_callbacks_are_resumed_with_the_run(
    make_distribution,
    quick_run,
    stnkit_main,
):
    # Draws numbers and stops the first part of the run, as Ctrl-C would, in the middle of its second epoch.
    stop = (
        "class Stop(lightning.Callback):\n"
        "    def on_train_batch_end(self, trainer, *_):\n"
        "        torch.rand(3)\n"
        "        if trainer.global_step == 7 and not os.environ.get('RESUMED'):\n"
        "            os.environ['RESUMED'] = '1'\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
    )
    make_distribution(
        "my-package",
        {
            "resumed_steps": block("stnkit_callbacks"),
            "resumed_stop": hook_module("stnkit_callbacks()", "[Stop()]", f"import os, signal, torch\n{stop}"),
        },
        {"callbacks.steps": "resumed_steps", "callbacks.stop": "resumed_stop"},
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESUMED", "")
        assert stnkit_main("train", *QUICK, "hydra.run.dir=run")[0] == 130
        assert stnkit_main("train", "resume=run")[0] == 0
    assert int(Path("run/steps.txt").read_text()) == metrics("run")["step"]
    assert metrics("run")["history"] == metrics(quick_run)["history"]
    resumed, plain = (
        torch.load(f"{run}/checkpoints/last.ckpt", weights_only=True)["state_dict"] for run in ("run", quick_run)
    )
    assert all(torch.equal(resumed[name], plain[name]) for name in plain)


def test_a_hook_may_have_a_name_of_its_own(make_distribution):
    text = "import stnkit\n@stnkit.hookimpl(specname='stnkit_callbacks')\ndef watchers(config):\n    return []\n"
    make_distribution("my-package", {"named_hook": text}, {"callbacks.own": "named_hook"})
    assert plugin_registry().callbacks({}) == []


@pytest.mark.parametrize("argument", ["*, config", "**others"])
def test_arguments_that_pluggy_leaves_out_are_refused(argument, make_distribution):
    name = f"leaves_out_{argument.strip('*, ')}"
    make_distribution("my-package", {name: hook_module(f"stnkit_callbacks({argument})", "[]")}, {"callbacks.out": name})
    expected = f"expected stnkit_callbacks(config), got the argument {argument.removeprefix('*, ')}, which no hook"
    with pytest.warns(PluginWarning, match=re.escape(expected)):
        plugin_registry().callbacks({})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "text", "reason"),
    [
        ("raises", hook_module("stnkit_callbacks(config)", "[config['nothing']]"), "KeyError: 'nothing'"),
        ("no_callback", hook_module("stnkit_callbacks()", "[7]"), "expected a lightning.Callback, got 7"),
        (
            "no_list",
            hook_module("stnkit_callbacks()", "7"),
            "returns an object of int; it must yield something, or return a list",
        ),
        ("nothing", hook_module("stnkit_callbacks()", "None"), "stnkit_callbacks returns None"),
    ],
)
def test_hook_stnkit_callbacks_are_checked_before_the_data(
    case,
    text,
    reason,
    make_distribution,
    stnkit_main,
    monkeypatch,
):
    from stnkit.experiments.data.data_module import DistortedData

    monkeypatch.setattr(DistortedData, "setup", lambda *_: pytest.fail("data was loaded"))
    make_distribution("my-package", {f"bad_callbacks_{case}": text}, {"callbacks.bad": f"bad_callbacks_{case}"})
    code, _, err = stnkit_main("train", *QUICK, "hydra.run.dir=run")
    assert code == 2
    assert f"stnkit train: the callbacks of my-package 1.0 (bad_callbacks_{case}) cannot be used: " in err
    assert reason in err
    assert len(err.splitlines()) == 1
    assert metrics("run")["status"] == "failed"


@pytest.mark.training
def test_hook_stnkit_callbacks_get_a_copy_of_the_config(make_distribution, stnkit_main):
    text = hook_module("stnkit_callbacks(config)", "config['training'].clear() or []")
    make_distribution("my-package", {"meddling": text}, {"callbacks.meddling": "meddling"})
    assert stnkit_main("train", *QUICK, "placement=none", "hydra.run.dir=run")[0] == 0
    assert metrics("run")["config"]["training"]["epochs"] == 2


@pytest.mark.training
def test_hook_stnkit_loggers_get_config_epochs_and_test(make_distribution, stnkit_main):
    make_distribution("my-package", {"hook_lines": block("stnkit_loggers")}, {"logger.lines": "hook_lines"})
    code, _, err = stnkit_main("train", *QUICK, "seed=3", "training.loggers=[csv,lines]", "hydra.run.dir=run")
    assert code == 0, err
    first, *logged = [json.loads(line) for line in Path("run/lines.jsonl").read_text().splitlines()]
    assert first["seed"] == 3
    for name in ("validation_error", "train_loss"):
        assert [line[name] for line in logged if name in line] == [epoch[name] for epoch in metrics("run")["history"]]
    assert [line["test_error"] for line in logged if "test_error" in line] == [metrics("run")["test_error"]]
    assert Path("run/csv/metrics.csv").is_file()


def test_hook_stnkit_commands_are_listed_unimported_and_run(make_distribution, stnkit_main):
    make_distribution("my-package", {"hook_census": block("stnkit_commands")}, {"command.census": "hook_census"})
    code, out, _ = stnkit_main("--help")
    assert code == 0
    assert re.search(r"^  census +from my-package 1\.0$", out, re.MULTILINE)
    assert "hook_census" not in sys.modules
    code, out, err = stnkit_main("census")
    assert (code, out, err) == (0, "identity of affine: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]\n", "")
    assert "stnkit_plugins" not in vars(sys.modules["hook_census"])
    code, _, err = stnkit_main("census", "7")
    assert (code, err) == (2, "stnkit census: census: expected no arguments, got '7'\n")
    assert [command.help for command, _ in plugin_registry().commands] == ["print the identity of the affine transform"]


@pytest.mark.slow
def test_hook_stnkit_search_paths_bring_experiments(make_distribution, stnkit_main):
    files = {
        "my_package/__init__.py": "",
        "my_package/search_paths.py": block("stnkit_search_paths"),
        "my_package/conf/__init__.py": "",
        "my_package/conf/experiment/quick.yaml": block("stnkit_search_paths", "yaml"),
    }
    make_distribution("my-package", files, {"search_path.my_package": "my_package.search_paths"})
    code, out, err = stnkit_main("train", "+experiment=quick", "--cfg", "job")
    assert code == 0, err
    assert re.search(r"^transform:\n  name: tps$", out, re.MULTILINE)
    assert re.search(r"^  epochs: 3$", out, re.MULTILINE)
    code, out, _ = stnkit_main("train", "--info", "searchpath")
    assert re.search(r"my-package 1\.0 \(my_package.search_paths\) +\| pkg://my_package.conf", out)


@pytest.mark.parametrize(
    ("case", "expression", "reason"),
    [
        ("package", "['pkg://no_such_package.conf']", "pkg://no_such_package.conf does not exist: No module named"),
        ("folder", "['file:///no/such/folder']", "file:///no/such/folder does not exist"),
        (
            "module",
            "['pkg://json.decoder']",
            "pkg://json.decoder does not exist: json.decoder is a module, and no package",
        ),
        ("scheme", "['conf']", "expected pkg://PACKAGE or file:///FOLDER, got 'conf'"),
        ("type", "[7]", "expected pkg://PACKAGE or file:///FOLDER, got 7"),
        ("plain_folder", "['pkg://plain_folder']", "pkg://plain_folder is not a package: it has no __init__.py"),
    ],
)
@pytest.mark.no_jaxtyping
def test_hook_stnkit_search_paths_are_checked_with_a_reason(case, expression, reason, make_distribution):
    text = hook_module("stnkit_search_paths()", expression)
    make_distribution("my-package", {f"bad_path_{case}": text, "plain_folder/conf.yaml": "a: 1"}, {
        "search_path.bad": f"bad_path_{case}"
    })  # fmt: skip
    with pytest.warns(PluginWarning, match=reason) as caught:
        assert [reason in broken.reason for broken in plugin_registry().broken] == [True]
    assert len(caught) == 1
    assert plugin_registry().search_paths == []


def test_a_module_is_no_search_path_in_any_python(monkeypatch):
    def files(name):  # as of Python 3.12: a module stands for the folder that it lies in
        return Path(importlib.import_module(name).__file__).parent

    monkeypatch.setattr(importlib.resources, "files", files)
    check_search_path("pkg://json")
    with pytest.raises(stnkit.errors.InputError, match=r"json.decoder is a module, and no package"):
        check_search_path("pkg://json.decoder")


@pytest.mark.parametrize("key", ["command.x", "callbacks.x", "logger.x", "search_path.x"])
def test_an_entry_point_of_a_hook_needs_the_hook(key, make_distribution):
    module = f"announces_{key[:-2]}"
    make_distribution("my-package", {module: block("stnkit_components")}, {key: module})
    with pytest.warns(PluginWarning, match=f"entry point {key} announces the hook stnkit_.*, which it does not"):
        assert plugin_registry().names("transform")


@pytest.mark.training
def test_one_module_may_implement_several_hooks(make_distribution, stnkit_main):
    blocks = [block(hook) for hook in ("stnkit_components", "stnkit_callbacks", "stnkit_commands")]
    make_distribution(
        "my-package",
        {"all_hooks": "\n".join(blocks)},
        {"transform.halve": "all_hooks", "command.census": "all_hooks"},
    )
    assert stnkit_main("train", *QUICK, "training.epochs=1", "transform=halve", "hydra.run.dir=run")[0] == 0
    assert Path("run/steps.txt").is_file()
    assert stnkit_main("census")[0] == 0
    _, out, _ = stnkit_main("plugins", "--json")
    assert [c["name"] for c in json.loads(out)["components"] if c["distribution"] == "my-package"] == ["halve"]
