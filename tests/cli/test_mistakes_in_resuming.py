"""A mistake in the command that resumes a run leaves the run as it was."""

import json
import shutil

import pytest
import yaml

from stnkit.errors import InputError
from stnkit.experiments.loop import run as loop
from stnkit.experiments.run_directory.directories import config_to_resume
from tests.helpers import QUICK, metrics

ACCELERATOR = "training.accelerator=tpu"


@pytest.fixture
def run(copy_of_quick_run):
    """A completed run that may get more epochs; its text files are compared by `files`."""
    config = yaml.safe_load((copy_of_quick_run / "config.yaml").read_text())
    config["training"]["schedule"] = "constant"
    (copy_of_quick_run / "config.yaml").write_text(yaml.safe_dump(config))
    return copy_of_quick_run


def files(folder):
    return {name: (folder / name).read_bytes() for name in ("metrics.json", "config.yaml")}


def set_status(folder, status):
    (folder / "metrics.json").write_text(json.dumps(metrics(folder) | {"status": status}))


@pytest.mark.parametrize("mistake", [ACCELERATOR, "training.loggers=[nonsense]", "sampler.padding=border"])
@pytest.mark.parametrize("status", ["completed", "interrupted", "running"])
@pytest.mark.training
def test_a_run_stays_as_it_was(status, mistake, run, stnkit_main):
    set_status(run, status)
    before = files(run)
    code, _, err = stnkit_main("train", "resume=run", "training.epochs=3", mistake)
    assert code == 2
    assert "Traceback" not in err
    assert files(run) == before


def test_a_run_without_its_checkpoint_stays_completed(run, stnkit_main):
    (run / "checkpoints" / "last.ckpt").unlink()
    before = files(run)
    code, _, err = stnkit_main("train", "resume=run", "training.epochs=3")
    assert code == 2
    assert "checkpoint" in err
    assert files(run) == before


@pytest.mark.training
def test_an_interrupted_job_of_a_sweep_stays_interrupted(run, stnkit_main, quick_run, tmp_path):
    job = shutil.copytree(quick_run, tmp_path / "sweep" / "0")
    set_status(job, "interrupted")
    before = files(job)
    sweep = ["train", "-m", *QUICK, "seed=0", "hydra.sweep.dir=sweep", "skip_completed=true"]
    code, _, err = stnkit_main(*sweep, ACCELERATOR)
    assert code == 2
    assert "1 of the jobs did not run, and the earlier runs in their directories stay as they were: sweep/0" in err
    assert files(job) == before


@pytest.mark.parametrize("dry", [[], ["dry_run=true"]])
def test_a_resumed_run_stays_in_its_directory(dry, run, stnkit_main, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    before = files(run), files(other)
    code, _, err = stnkit_main("train", "resume=run", "training.epochs=3", "hydra.run.dir=other", *dry)
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith("stnkit train: hydra.run.dir: expected that of resume=run, got ")
    assert line.endswith("other")
    assert (files(run), files(other)) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["resume=run", "model=cnn"], "model: expected no preset with resume=run, whose config is fixed, got cnn"),
        (["resume=run", "resume=else"], "resume: expected one run directory, got resume=run and resume=else"),
        (["resume=run", "experiment=rotation_ablation"], "resume continues a single run"),
        (["++resume=run", "-m"], "resume continues a single run"),
        (["resume=[1]"], "resume: expected a run directory, got resume=[1]"),
        (["-m", "dry_run=true,false"], "dry_run: expected one value for the whole sweep, got dry_run=true,false"),
    ],
)
def test_what_cannot_be_resumed_is_one_sentence(words, sentence, run, stnkit_main, tmp_path):
    before = files(run)
    code, _, err = stnkit_main("train", *words)
    assert code == 2
    (line,) = err.splitlines()
    assert sentence in line
    assert files(run) == before
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["run"]


@pytest.mark.parametrize("text", ["x: [", "transform: 5\ntraining: {}", "5", "- 1"])
def test_a_damaged_config_is_one_sentence(text, run, stnkit_main):
    (run / "config.yaml").write_text(text)
    code, _, err = stnkit_main("train", "resume=run")
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith("stnkit train: resume=run: its config.yaml is damaged: ")


def test_an_option_of_today_may_be_repeated_for_an_old_run(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    old = {key: value for key, value in config.items() if key not in ("init_from", "transform_init")}
    old["training"] = {key: value for key, value in config["training"].items() if key not in ("keep", "patience")}
    (run / "config.yaml").write_text(yaml.safe_dump(old))
    set_status(run, "interrupted")
    now = config | {"resume": str(run)}
    assert config_to_resume(now, ["training.keep=last"])["training"]["keep"] == "last"
    now["training"] = config["training"] | {"keep": "best"}
    with pytest.raises(InputError, match=r"training.keep: expected last as in resume=.*, got best"):
        config_to_resume(now, ["training.keep=best"])


def test_a_precision_of_a_cpu_is_resumed_as_it_was_computed(run):
    """Lightning computed in bf16-mixed on a CPU where 16-mixed was asked for, and the config has that."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["training"]["precision"] = "16-mixed"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    set_status(run, "interrupted")
    for precision in ("bf16-mixed", "16-mixed"):
        now = config | {"resume": str(run), "training": config["training"] | {"precision": precision}}
        resumed = config_to_resume(now, [f"training.precision={precision}"])
        assert resumed["training"]["precision"] == precision
    now["training"]["precision"] = "32-true"
    with pytest.raises(InputError, match=r"training.precision: expected 16-mixed as in resume=.*, got 32-true"):
        config_to_resume(now, ["training.precision=32-true"])


def test_a_new_run_does_not_inherit_from_a_failed_one(run, stnkit_main, monkeypatch):
    set_status(run, "failed")
    left = []

    def train(config, training, run_dir, leader=None):
        left.extend(path.name for path in run_dir.rglob("*.ckpt"))
        raise InputError("it ends before its first step")

    monkeypatch.setattr(loop, "train", train)
    code, _, _ = stnkit_main("train", *QUICK, "seed=5", "hydra.run.dir=run")
    assert code == 2
    assert left == []
    assert not (run / "checkpoints").exists()


def test_a_mistake_in_a_new_run_deletes_nothing(run, stnkit_main):
    set_status(run, "failed")
    before = files(run)
    code, _, _ = stnkit_main("train", *QUICK, "network.hidden=[-1]", "hydra.run.dir=run")
    assert code == 2
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert files(run) == before
