"""Sweeps that are stopped at random moments and continued end like one that nobody has disturbed.

`STNKIT_KILL_DRILL=20` tries 20 moments for each launcher, and `--log-cli-level=INFO` shows what they met.
"""

import logging
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.helpers import CLI, QUICK, metrics

pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra stnkit[joblib] is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.training]

LOG = logging.getLogger(__name__)
MOMENTS = int(os.environ.get("STNKIT_KILL_DRILL", "1"))
# Five steps in an epoch.
SWEEP = ["train", "-m", *QUICK, "placement=none", "training.checkpoint_every=2", "seed=range(6)"]
LAUNCHERS = {"basic": [], "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]}
STOPS = [
    (signal.SIGTERM, os.kill, 143),
    (signal.SIGINT, os.killpg, 130),
    (signal.SIGKILL, os.kill, -9),
    (signal.SIGTERM, os.killpg, 143),
    (signal.SIGINT, os.kill, 130),
    (signal.SIGKILL, os.killpg, -9),
]
LOSING = (signal.SIGKILL, "basic")
# A process group of its own, as a shell makes one for each command.
IN_GROUP = f"import os; os.setpgrp(); {CLI}"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, process_server):
    folder = tmp_path_factory.mktemp("undisturbed")
    process = process_server.start(*SWEEP, "hydra.sweep.dir=sweep", cwd=folder)
    assert process.wait(timeout=300) == 0, process.communicate()
    return results(folder / "sweep")


def results(sweep):
    """The final figures of each seed."""
    told = [metrics(path.parent) for path in sweep.glob("*/metrics.json")]
    keys = ("status", "history", "test_error", "test_loss", "n_parameters")
    return {values["seed"]: [values[key] for key in keys] for values in told}


def processes_of(mark, pid):
    """Those whose environment had the mark when they were started, and the process itself."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes() or folder.name == str(pid):
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                found += [folder.name] if state != "Z" else []
        except OSError:
            continue
    return found


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_sweep_stopped_at_any_moment_loses_nothing(launcher, moment, undisturbed, stnkit_process, tmp_path):
    number, kill, code = STOPS[moment % len(STOPS)]
    draw = random.Random(f"{launcher} {moment}")
    command = [*SWEEP, *LAUNCHERS[launcher], "hydra.sweep.dir=sweep"]
    mark = f"STNKIT_DRILL={launcher}-{moment}-{os.getpid()}"
    name, _, value = mark.partition("=")
    process = stnkit_process(*command, code=IN_GROUP, env=os.environ | {name: value})

    jobs, pause = draw.randrange(6), draw.uniform(0, 0.5)
    while process.poll() is None and len(list((tmp_path / "sweep").glob("*/metrics.json"))) < jobs:
        time.sleep(0.005)
    time.sleep(pause)
    if process.poll() is None:
        kill(process.pid, number)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    if out:
        assert process.returncode in (code, 0), err
    else:  # not yet a sweep
        assert process.returncode in (code, -number), err
    assert "Traceback" not in err
    while left := processes_of(mark, process.pid):
        assert time.monotonic() < began + 20, f"{left} are left: {err}"
        time.sleep(0.1)
    if out and process.returncode > 0:
        assert "the sweep ended early: interrupted by" in err
        assert "hydra.sweep.dir=sweep skip_completed=true runs the unfinished jobs" in err
    states = sorted(metrics(path.parent)["status"] for path in (tmp_path / "sweep").glob("*/metrics.json"))
    # A kill loses the last steps of the job in the process itself, and of no worker.
    assert set(states) <= {"completed", "interrupted", *(["running"] if (number, launcher) == LOSING else [])}
    LOG.info("%s %s %s %s: %s", number.name, kill.__name__, launcher, process.returncode, " ".join(states))

    process = stnkit_process(*command, "skip_completed=true")
    assert process.wait(timeout=300) == 0, process.communicate()
    assert results(tmp_path / "sweep") == undisturbed
