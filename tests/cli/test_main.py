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


@pytest.mark.parametrize(
    ("result", "code", "said"),
    [
        ("0", 0, ""),
        ("2", 2, ""),
        ("None", 0, ""),
        ("'done'", 2, "stnkit census: expected an exit code from its function, 0, 1 or 2, got 'done'\n"),
        ("3.5", 2, "stnkit census: expected an exit code from its function, 0, 1 or 2, got 3.5\n"),
    ],
)
def test_a_command_of_a_plugin_ends_with_its_exit_code(result, code, said, make_distribution, stnkit_main):
    module = f"census_{''.join(filter(str.isalnum, result))}"
    text = (
        "import stnkit\n\n@stnkit.hookimpl\ndef stnkit_commands():\n"
        f"    yield stnkit.Command('census', lambda arguments: {result}, 'count')\n"
    )
    make_distribution("counts", {module: text}, {"command.census": module})
    ended, _, err = stnkit_main("census")
    assert (ended, err) == (code, said)


def test_an_error_of_a_file_without_a_reason_has_its_type(make_distribution, stnkit_main):
    text = (
        "import stnkit\n\ndef run(arguments):\n    raise FileNotFoundError('calib.json')\n\n"
        "@stnkit.hookimpl\ndef stnkit_commands():\n    yield stnkit.Command('lost', run, 'lose')\n"
    )
    make_distribution("loses", {"loses_plugin": text}, {"command.lost": "loses_plugin"})
    assert stnkit_main("lost")[::2] == (2, "stnkit lost: FileNotFoundError: calib.json\n")
