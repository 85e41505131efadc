"""Tab completion, asked for as the shells do."""

import os
import shutil
import subprocess
import sys

import pytest

from stnkit.cli.completion import SCRIPTS, answers
from stnkit.cli.main import COMMANDS
from stnkit.plugin_system.kinds import KINDS
from stnkit.plugin_system.registry import plugin_registry


def sorted_with_blanks(words):
    return [f"{word} " for word in sorted(words)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("stnkit ", sorted_with_blanks(COMMANDS)),
        ("stnkit pl", ["plugins "]),
        ("stnkit plugins ", ["check ", "list ", "new ", "show "]),
        ("stnkit plugins new ", sorted_with_blanks(KINDS)),
        ("stnkit plugins list tr", ["transform "]),
        ("stnkit plugins show transform t", ["tps ", "translation "]),
        ("stnkit plugins check paper", ["paper_cnn ", "paper_fcn "]),
        ("stnkit plugins show paper", ["paper_cnn ", "paper_fcn "]),
        ("stnkit plugins check localizer ", sorted_with_blanks(plugin_registry().names("localizer"))),
        ("stnkit train transform=", sorted_with_blanks(f"transform={n}" for n in plugin_registry().names("transform"))),
        ("stnkit train -m seed=1 sampler=bi", ["sampler=bicubic ", "sampler=bilinear "]),
        ("stnkit apply run a.png --sampler bi", ["bicubic ", "bilinear "]),
        ("stnkit completion ", ["bash ", "zsh "]),
        ("stnkit nonsense ", []),
        ("stnkit", []),
        ("", []),
    ],
)
def test_what_entry_points_tell(line, expected):
    assert answers(line) == expected


@pytest.mark.process
def test_what_entry_points_tell_is_told_without_torch():
    code = (
        "import sys; from stnkit.cli.main import main; main(['completion', 'query']); "
        "assert not {'torch', 'hydra', 'rich'} & set(sys.modules)"
    )
    for line, expected in (("stnkit pl", "plugins "), ("stnkit train transform=tp", "transform=tps ")):
        environment = os.environ | {"COMP_LINE": line}
        result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (0, f"{expected}\n"), result.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("stnkit train training.ep", ["training.epochs="]),
        ("stnkit train placement=in", ["placement=input "]),
        ("stnkit train transform=tps transform.control", ["transform.control_points="]),
        ("stnkit train transform=no_such transform.", []),
    ],
)
def test_what_hydra_tells_of_the_overrides(line, expected, stnkit_main, monkeypatch):
    monkeypatch.setenv("COMP_LINE", line)
    code, out, _ = stnkit_main("completion", "query")
    assert code == 0 or not expected
    assert [word for word in out.splitlines() if word] == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("stnkit train training.optimizer=", ["training.optimizer=adamw ", "training.optimizer=sgd "]),
        ("stnkit train training.precision=b", ["training.precision=bf16-mixed "]),
        ("stnkit train training.loggers=[t", ["training.loggers=[tensorboard] "]),
        ("stnkit train -m skip_completed=", ["skip_completed=false ", "skip_completed=true "]),
        # Of the sampler by default, of the one in the line, of the first in a sweep.
        ("stnkit train sampler.padding=b", ["sampler.padding=border "]),
        ("stnkit train sampler=nearest sampler.double_backward=", []),
        ("stnkit train sampler=nearest,bicubic seed=0,1 sampler.padding=b", ["sampler.padding=border "]),
        (
            "stnkit train transform=scale transform.isotropic=",
            ["transform.isotropic=false ", "transform.isotropic=true "],
        ),
        ("stnkit train model=st_fcn_tps localizer.batch_norm=", []),
        ("stnkit train transform=no_such transform.isotropic=", []),
        ("stnkit plugins show out", ["out_size "]),
        ("stnkit plugins show trai", ["training "]),
        (
            "stnkit plugins show training.eq",
            ["training.equivariance "]
            + [
                f"training.equivariance.{name} "
                for name in ("augment", "common_pose", "degrees", "scale", "shift", "weight")
            ],
        ),
    ],
)
def test_values_and_options_are_completed(line, expected, stnkit_main, monkeypatch):
    monkeypatch.setenv("COMP_LINE", line)
    _, out, _ = stnkit_main("completion", "query")
    assert [word for word in out.splitlines() if word] == expected


@pytest.fixture
def on_path(tmp_path):
    """An environment in whose shell `stnkit` is a command."""
    program = tmp_path / "bin" / "stnkit"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom stnkit.cli.main import entry\nentry()\n")
    program.chmod(0o755)
    return os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "ZDOTDIR": str(tmp_path)}


BASH = r"""
eval "$(stnkit completion bash)"
complete -p stnkit >&2
COMP_LINE=$1; COMP_POINT=${2:-${#1}}
read -ra COMP_WORDS <<<"$1"; COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_stnkit
printf '%s\n' "${COMPREPLY[@]}"
"""
ZSH = r"""
eval "$(stnkit completion zsh)"
print -r -- $_comps[stnkit] >&2
compadd() { shift 4; print -rl -- "$@" }
_files() { print -r -- files }
words=("${(@s: :)1}"); CURRENT=$#words; PREFIX=$words[CURRENT]
_stnkit
"""


def ask(shell, script, environment, *arguments):
    command = {"bash": ["bash", "--norc", "-c"], "zsh": ["zsh", "-f", "-c"]}[shell]
    result = subprocess.run(
        [*command, script, shell, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "_stnkit" in result.stderr  # it is registered for the command
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["stnkit plugins sh"], ["show "]),
        (["stnkit plugins show sampler bi"], ["bicubic ", "bilinear "]),
        # Readline's word begins behind the last "=".
        (["stnkit train transform=tp"], ["tps "]),
        (["stnkit train transform=tps transform.reg"], ["transform.regularization="]),
        # The cursor stands behind "pl".
        (["stnkit pl transform", "9"], ["plugins "]),
        (["stnkit nonsense x"], [""]),
    ],
)
@pytest.mark.process
def test_bash_completes(arguments, expected, on_path):
    assert ask("bash", BASH, on_path, *arguments) == expected


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("stnkit plugins sh", ["show "]),
        ("stnkit plugins show sampler bi", ["bicubic ", "bilinear "]),
        ("stnkit train transform=tp", ["transform=tps "]),
        ("stnkit train transform=tps transform.reg", ["transform.regularization="]),
        ("stnkit nonsense x", ["files"]),
    ],
)
def test_zsh_completes(line, expected, on_path):
    assert ask("zsh", ZSH, on_path, line) == expected


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_of_a_shell_is_printed(shell, stnkit_main):
    assert stnkit_main("completion", shell) == (0, SCRIPTS[shell] + "\n", "")


@pytest.mark.parametrize("arguments", [[], ["fish"]])
def test_a_mistake_is_one_sentence(arguments, stnkit_main):
    code, out, err = stnkit_main("completion", *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
