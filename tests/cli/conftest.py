import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from stnkit.cli import train
from stnkit.cli.main import main

# Seconds, not minutes: the smallest network on 1,197 images.
QUICK = [
    "network=paper_fcn",
    "network.hidden=[16]",
    "localizer=fully_connected",
    "training.batch_size=256",
    "training.progress=false",
    "training.epochs=2",
]


def metrics(run_dir):
    return json.loads((Path(run_dir) / "metrics.json").read_text())


@pytest.fixture
def stnkit_main(tmp_path, monkeypatch, capfd):
    """`stnkit …` in this process and in an empty directory: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stnkit"])
    GlobalHydra.instance().clear()

    def run(*arguments):
        GlobalHydra.instance().clear()
        train._ended.exit_code = 0
        code = main([*map(str, arguments)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def stnkit_process(tmp_path):
    """`stnkit …` as a process of its own, in an empty directory."""

    def start(*arguments, code="from stnkit.cli.main import entry; entry()"):
        return subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
