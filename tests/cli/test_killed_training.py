"""A run on a folder of images that is killed while it trains ends, continued, like one that nobody has disturbed.

`STNKIT_KILL_DRILL=10` tries ten moments, and `--log-cli-level=INFO` shows what they met.
"""

import logging
import os
import random
import signal
import time

import pytest
import torch

from tests.helpers import QUICK, metrics
from tests.packing.pictures import write_splits

pytestmark = [pytest.mark.process, pytest.mark.training]

LOG = logging.getLogger(__name__)
MOMENTS = int(os.environ.get("STNKIT_KILL_DRILL", "1"))
EPOCHS = 12
# Five steps in an epoch.
COMMAND = [
    "train",
    *QUICK,
    "dataset=folder",
    "dataset.root=images",
    "dataset.cache=cache",
    "training.batch_size=16",
    "training.checkpoint_every=2",
    f"training.epochs={EPOCHS}",
    "hydra.run.dir=run",
]
SAME, RESUMED = [*COMMAND, "skip_completed=true"], ["train", "resume=run"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, process_server):
    folder = tmp_path_factory.mktemp("undisturbed")
    write_splits(folder / "images", 40, height=8, width=8)
    process = process_server.start(*COMMAND, cwd=folder)
    assert process.wait(timeout=120) == 0, process.communicate()
    return folder


def figures(run_dir):
    values = metrics(run_dir)
    return [values[key] for key in ("status", "epoch", "history", "test_error", "test_loss", "n_parameters")]


def weights(run_dir):
    return torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def files(folder):
    """The names of all files but those of Hydra and of the logger, which has a folder for each part of a run."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    return [name for name in names if not name.startswith((".hydra", "csv"))]


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_training_killed_at_any_moment_loses_nothing(moment, undisturbed, stnkit_process, tmp_path):
    (tmp_path / "images").symlink_to(undisturbed / "images")
    run_dir, checkpoint = tmp_path / "run", tmp_path / "run" / "checkpoints" / "last.ckpt"
    draw = random.Random(moment)
    process = stnkit_process(*SAME)
    epochs, pause = draw.randrange(EPOCHS - 1), draw.uniform(0, 0.1)
    while process.poll() is None and not (checkpoint.exists() and metrics(run_dir).get("epoch", 0) >= epochs):
        time.sleep(0.002)
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=20) in (-signal.SIGKILL, 0), process.communicate()
    told = metrics(run_dir)
    LOG.info("%s after %s epochs: %s", process.returncode, told.get("epoch", 0), told["status"])
    (pack,) = [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    packed = (pack / "images.bin").stat()

    process = stnkit_process(*(RESUMED if moment % 2 == 0 and told["status"] == "running" else SAME))
    assert process.wait(timeout=120) == 0, process.communicate()
    assert figures(run_dir) == figures(undisturbed / "run")
    expected, found = weights(undisturbed / "run"), weights(run_dir)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert os.path.samestat((pack / "images.bin").stat(), packed)
    assert files(run_dir) == files(undisturbed / "run")
