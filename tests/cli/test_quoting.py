import os
import shlex
import subprocess

import pytest

from stnkit.cli.hydra_internals import parse_override
from stnkit.cli.quoting import quoted_override

PATHS = [
    "runs/2026-11-28_10-00-00_ab12cd34",
    "/data/é à/run",
    "a=b",
    "a,b",
    "(a)",
    "{a}",
    "[a]",
    "it's",
    "#1",
    "a b",
    "back\\slash",
    "end\\",
    "a\\'b",
    "a\\\\'",
    'say "so"',
    "$HOME",
    "null",
    "true",
    "12",
    "1e5",
    "日本",
]


@pytest.mark.process
def test_a_shell_and_hydra_read_the_path_that_was_quoted():
    words = [quoted_override("resume", path) for path in PATHS]
    assert words[0] == f"resume={PATHS[0]}"
    assert words[1] == "\"resume='/data/é à/run'\""
    printed = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {' '.join(words)}"],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        check=True,
    )
    assert [parse_override(word) for word in printed.stdout.splitlines()] == [("resume", path) for path in PATHS]


@pytest.mark.training
def test_the_printed_command_continues_a_run_in_any_directory(stnkit_main, tmp_path, monkeypatch):
    from stnkit.experiments.loop import run
    from stnkit.experiments.loop.interruption import Interrupted
    from tests.helpers import QUICK, metrics

    folder = tmp_path / "é = (a), {b} [c] it's #1"
    with monkeypatch.context() as patched:
        patched.setattr(run, "pose_metrics", lambda *arguments: (_ for _ in ()).throw(Interrupted(15)))
        code, _, err = stnkit_main("train", *QUICK, *shlex.split(quoted_override("hydra.run.dir", folder)))
    assert code == 143
    assert metrics(folder)["status"] == "interrupted"
    (command,) = [line.split("`")[1] for line in err.splitlines() if "continues it" in line]
    assert stnkit_main(*shlex.split(command)[1:])[0] == 0
    assert metrics(folder)["status"] == "completed"
