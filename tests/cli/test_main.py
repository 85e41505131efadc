import subprocess
import sys
from importlib.metadata import version

import pytest

from stnkit.cli.main import COMMANDS
from stnkit.native import status
from stnkit.plugin_system.commands import RESERVED


def test_the_reserved_names_are_the_commands():
    assert tuple(COMMANDS) == RESERVED


def test_help_lists_every_command(stnkit_main):
    code, out, _ = stnkit_main("--help")
    assert code == 0
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert listed[: len(COMMANDS)] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, stnkit_main):
    code, out, err = stnkit_main(command, "--help")
    assert (code, err) == (0, "")
    assert f"stnkit {command}" in out


def test_an_unknown_command_lists_the_commands(stnkit_main):
    code, _, err = stnkit_main("trian")
    assert code == 2
    assert "there is no command 'trian'; the commands are train, evaluate, report, plugins" in err


def test_no_command_is_a_mistake_and_prints_the_usage(stnkit_main):
    code, out, _ = stnkit_main()
    assert code == 2
    assert out.startswith("usage: stnkit COMMAND")


def test_the_version_is_the_distributions(stnkit_main):
    assert stnkit_main("--version")[:2] == (0, f"{version('stnkit')}\n{status()}\n")


@pytest.mark.process
@pytest.mark.parametrize(
    ("redirection", "code", "told"),
    [("| true", 141, ""), ("> /dev/full", 2, "stnkit: standard output: No space left on device\n")],
)
def test_output_that_cannot_be_written_leaves_no_traceback(redirection, code, told):
    script = f"exec 3>&1; (sleep 0.5; {sys.executable} -m stnkit --help; echo $? >&3) {redirection}"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == (f"{code}\n", told)


@pytest.mark.process
def test_python_dash_m_is_the_same_program():
    ran = subprocess.run([sys.executable, "-m", "stnkit", "--version"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, f"{version('stnkit')}\n{status()}\n"), ran.stderr
