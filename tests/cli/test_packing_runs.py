"""Runs that pack a folder of images: killed, stopped, two at a time, on a full disk.

`STNKIT_KILL_DRILL=10` tries ten moments of a kill.
"""

import os
import random
import signal
import time

import pytest

from tests.helpers import QUICK, metrics
from tests.packing.pictures import write_image, write_splits

pytestmark = [pytest.mark.process, pytest.mark.training]

MOMENTS = int(os.environ.get("STNKIT_KILL_DRILL", "1"))
# Decoding takes a second and more, however few the images are, and is done by processes.
SLOW = """
import sys, time
from stnkit.packing import packer, processes
packer._FEW, packer.CHUNK = 0, 2
processes._PROGRAM = (
    "import sys, json, time; sys.path[:] = json.loads(sys.argv[1]); import stnkit.packing.worker as worker; "
    "decode = worker.decode_chunk; worker.decode_chunk = lambda *args: time.sleep(0.05) or decode(*args); worker.main()"
)
from stnkit.cli.main import entry
entry()
"""
COMMAND = [
    "train",
    *QUICK,
    "dataset=folder",
    "dataset.root=images",
    "dataset.cache=cache",
    "dataset.workers=2",
    "distortion=none",
    "training.epochs=1",
]
PACK = 40 * 6 * 3 * 8 * 8


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_splits(tmp_path_factory.mktemp("packing") / "images", 40, height=8, width=8)


@pytest.fixture
def here(images, tmp_path):
    (tmp_path / "images").symlink_to(images)
    return tmp_path


@pytest.fixture(scope="module")
def undisturbed(images, process_server):
    process = process_server.start(*COMMAND, "hydra.run.dir=run", cwd=images.parent)
    assert process.wait(timeout=120) == 0, process.communicate()
    (pack,) = (images.parent / "cache").iterdir()
    return (pack / "images.bin").read_bytes(), figures(images.parent / "run")


def figures(run_dir):
    return {key: metrics(run_dir)[key] for key in ("status", "history", "test_error", "test_loss")}


def wait_for_packing(process, cache):
    """Wait until images are being decoded."""
    end = time.monotonic() + 60
    while not list(cache.glob("*.unfinished-*/images.bin")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def decoders(folder):
    """The processes that run in a folder."""
    from pathlib import Path

    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            if (process / "cwd").resolve() == folder.resolve() and state != "Z":
                found.append(process.name)
        except OSError:
            continue
    return found


def wait_for_silence(folder):
    end = time.monotonic() + 20
    while decoders(folder):
        assert time.monotonic() < end, f"processes are left: {decoders(folder)}"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_packing_killed_at_any_moment_is_done_anew(moment, here, undisturbed, stnkit_process):
    command = [*COMMAND, "hydra.run.dir=run", "skip_completed=true"]
    process = stnkit_process(*command, code=SLOW)
    wait_for_packing(process, here / "cache")
    time.sleep(random.Random(moment).uniform(0, 2))
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    wait_for_silence(here)
    assert stnkit_process(*command).wait(timeout=120) == 0
    (pack,) = [path for path in (here / "cache").iterdir() if path.is_dir()]
    assert ((pack / "images.bin").read_bytes(), figures(here / "run")) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_packing_that_is_asked_to_stop_leaves_nothing(number, here, stnkit_process):
    process = stnkit_process(*COMMAND, "hydra.run.dir=run", code=SLOW)
    wait_for_packing(process, here / "cache")
    time.sleep(0.3)
    process.send_signal(number)
    assert process.wait(timeout=20) == 128 + number
    _, err = process.communicate()
    assert f"interrupted by {number.name}" in err
    assert "Traceback" not in err
    assert not (here / "cache").exists()
    wait_for_silence(here)
    assert metrics(here / "run")["status"] == "interrupted"


@pytest.mark.slow
def test_two_runs_at_once_pack_once(here, undisturbed, stnkit_process):
    processes = [stnkit_process(*COMMAND, f"hydra.run.dir=run{i}", code=SLOW) for i in range(2)]
    outputs = []
    for process in processes:
        assert process.wait(timeout=120) == 0, process.communicate()
        outputs.append(process.communicate()[0])
    assert sum("packed 240 images" in out for out in outputs) == 1
    (pack,) = (here / "cache").iterdir()
    assert (pack / "images.bin").read_bytes() == undisturbed[0]
    assert figures(here / "run0") == figures(here / "run1") == undisturbed[1]


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, 2 * [int(sys.argv.pop())])
from stnkit.cli.main import entry
entry()
"""


def test_a_file_that_may_not_grow_is_a_full_disk(here, stnkit_process):
    process = stnkit_process(*COMMAND, "hydra.run.dir=run", PACK - 1, code=LIMITED)
    assert process.wait(timeout=60) == 2, process.communicate()
    _, err = process.communicate()
    assert err.startswith("stnkit train: dataset.cache=cache: the disk is full (File too large); ")
    assert err.count("\n") == 1
    assert not (here / "cache").exists()
    assert metrics(here / "run")["status"] == "failed"


def test_a_dry_run_packs_nothing_and_uses_what_is_packed(here, undisturbed, stnkit_main, images):
    code, out, err = stnkit_main(*COMMAND, "dry_run=true")
    assert (code, err) == (0, "")
    assert "unknown: the 240 images of images are not packed yet" in out
    assert not (here / "cache").exists()
    code, out, _ = stnkit_main(*COMMAND, f"dataset.cache={images.parent / 'cache'}", "dry_run=true")
    assert code == 0
    assert "80 train, 80 validation, 80 test images of 3×8×8, 2 classes" in out


@pytest.mark.parametrize(
    ("change", "overrides", "message"),
    [
        ("nothing", ["dataset.root=nowhere"], "dataset.root=nowhere: that folder does not exist"),
        ("nothing", ["dataset.size=[0,5]"], "dataset.size: expected [H, W], each from 1 to 65535, got [0, 5]"),
        ("nothing", ["dataset.cache=images/train/cat/0.png"], "dataset.cache: expected a folder outside of"),
        ("nothing", ["dataset.cache=file"], "dataset.cache=file: the cache folder cannot be written"),
        ("text", [], "test/dog/0.png cannot be decoded: Pillow finds no image in it; remove it, or leave out"),
        ("class", [], "test: expected the classes of images/train, got also bird"),
        ("size", [], "test/dog/0.png: expected 6×8 pixels (height × width), as the first image has, got 9×9"),
    ],
)
def test_bad_images_end_a_run_in_one_sentence(change, overrides, message, tmp_path, stnkit_main):
    write_splits(tmp_path / "images", 1)
    (tmp_path / "file").touch()
    if change == "text":
        (tmp_path / "images/test/dog/0.png").write_text("a text")
    if change == "class":
        write_image(tmp_path / "images", "test/bird/0.png")
    if change == "size":
        write_image(tmp_path / "images", "test/dog/0.png", 9, 9)
    code, _, err = stnkit_main(*COMMAND, *overrides, "hydra.run.dir=run")
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "cache").exists()


def test_moved_images_are_the_same_job_and_the_same_pack(here, undisturbed, stnkit_main, images):
    cache, run_dir = images.parent / "cache", images.parent / "run"
    code, out, err = stnkit_main(
        *COMMAND, f"dataset.cache={cache}", f"hydra.run.dir={run_dir}", "skip_completed=true", "dataset.workers=1"
    )
    assert (code, err) == (0, "")
    assert "already completed" in out
    (pack,) = cache.iterdir()
    assert (pack / "images.bin").read_bytes() == undisturbed[0]
