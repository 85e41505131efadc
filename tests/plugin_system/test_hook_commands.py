"""Commands of plugins: imported alone, checked with a reason, and of different names."""

import re
import subprocess
import sys

import pytest

from stnkit.cli.main import COMMANDS
from stnkit.plugin_system.registry import PluginWarning, plugin_registry
from tests.helpers import hook_module


@pytest.mark.process
def test_hook_stnkit_commands_import_their_own_plugin_alone(make_distribution):
    text = hook_module(
        "stnkit_commands()", "[stnkit.Command('quick', lambda a: 'torch' in sys.modules, 'x')]", "import sys"
    )
    folder = make_distribution("my-package", {"quick_command": text.replace(", lightning", "")}, {
        "command.quick": "quick_command", "transform.broken": "no_such_module_at_all"
    })  # fmt: skip
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); from stnkit.cli.main import entry; entry()"
    process = subprocess.run([sys.executable, "-c", code, "quick"], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("case", "key", "expression", "reason"),
    [
        ("own", "command.train", "[stnkit.Command('train', print, 'x')]", "the command 'train' is stnkit's own"),
        ("key", "command.a", "[stnkit.Command('b', print, 'x')]", "the command 'b' needs an entry point command.b"),
        ("absent", "command.absent", "[]", "command.absent announces a command that stnkit_commands does not yield"),
        ("other", "command.other", "[7]", "stnkit_commands: expected a stnkit.Command, got 7"),
        ("name", "command.Name", "[stnkit.Command('Na me', print, 'x')]", "the name of a command to be lower-case"),
        ("run", "command.run", "[stnkit.Command('run', 7, 'x')]", "expected a function to run, got 7"),
        ("help", "command.help-less", "[stnkit.Command('help-less', print, '')]", "expected one line of help"),
        ("raises", "command.raises", "1 / 0", "ZeroDivisionError"),
    ],
)
def test_hook_stnkit_commands_are_checked_with_a_reason(
    case,
    key,
    expression,
    reason,
    make_distribution,
    stnkit_main,
):
    text = hook_module("stnkit_commands()", expression)
    make_distribution("my-package", {f"bad_command_{case}": text}, {key: f"bad_command_{case}"})
    with pytest.warns(PluginWarning, match=reason) as caught:
        (broken,) = plugin_registry().broken
    assert len(caught) == 1
    assert reason in broken.reason
    command = key.removeprefix("command.")
    if command not in COMMANDS:
        code, _, err = stnkit_main(command)
        assert code == 2
        (line,) = err.splitlines()
        assert line.startswith(f"stnkit {command}: plugin {key} of my-package 1.0 (bad_command_{case}) is broken: ")
        assert reason in line
    else:
        assert stnkit_main(command, "--cfg", "job")[0] == 0  # ours, as ever


def test_hook_stnkit_commands_of_one_name_are_an_error(make_distribution, stnkit_main):
    for name in ("first", "second"):
        text = hook_module("stnkit_commands()", "[stnkit.Command('same', print, 'x')]")
        make_distribution(name, {f"command_{name}": text}, {"command.same": f"command_{name}"})
    code, _, err = stnkit_main("same")
    assert code == 2
    assert re.fullmatch(r"stnkit same: the command 'same' is provided twice, by .*first 1\.0.*\n", err)
    with pytest.warns(PluginWarning, match="'same' is provided twice") as caught:
        assert len(plugin_registry().broken) == 2
    assert len(caught) == 1
