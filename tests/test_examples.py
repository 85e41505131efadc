"""Every package under examples/ installs, passes its own tests, and trains; every script does what it says."""

import runpy
import subprocess

import pytest

from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import QUICK, ROOT, metrics
from tests.testing.inner_pytest import run_pytest

# A page, and a program: each has tests of its own.
NO_PACKAGES = ("signs", "web")
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir() and path.name not in NO_PACKAGES)
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.slow
@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.process
@pytest.mark.training
def test_an_example_installs_passes_its_tests_and_trains(example, stnkit_main, install):
    install(example)
    code, reports = run_pytest(example, "-W", "error", example)
    assert code == 0, reports.texts
    assert reports.named("passed")
    chosen = [f"{e.kind}={e.name}" for e in plugin_registry().registered if e.source.distribution == example.name]
    assert chosen
    code, _, err = stnkit_main(
        "train", *QUICK, "training.epochs=1", "distortion=rotation", *chosen, "hydra.run.dir=run"
    )
    assert (code, err) == (0, "")
    assert metrics("run")["history"][0]["validation_theta_distance"] > 0


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.process
def test_an_example_is_short(example):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", example],
        cwd=example,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sum(len((example / path).read_text().splitlines()) for path in listed.stdout.split()) < 80


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_has_at_most_25_lines(script):
    assert len(script.read_text().splitlines()) <= 25


@pytest.mark.slow
@pytest.mark.parametrize(
    "transform", ["euclidean", "similarity", {"name": "velocity", "control_points": [4, 4, 4], "steps": 2}], ids=str
)
def test_volumes_are_registered_within_a_tenth_of_a_voxel(transform):
    register = runpy.run_path(str(ROOT / "examples" / "register_volumes.py"))["register"]
    assert register(transform, steps=0) > 1
    assert register(transform) < 0.1
