"""The jobs of a sweep are checked before the first of them runs."""

import pytest

from stnkit.cli import sweep_jobs
from tests.helpers import QUICK, metrics

SWEEP = ["train", "-m", *QUICK, "training.epochs=1", "seed=0,1", "hydra.sweep.dir=sweep"]


@pytest.mark.slow
@pytest.mark.parametrize("dry", [[], ["dry_run=true"]], ids=["wet", "dry"])
@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["++training.epoch=null,1"], "there is no training.epoch; did you mean training.epochs?"),
        (["+foo=1,2"], "there is no foo; the keys of the config are transform, localizer,"),
        (["+transform.n_dim=1,2"], "there is no transform.n_dim; did you mean transform.ndim?"),
        (["~dataset"], "dataset must be given, as in dataset=VALUE"),
        (["placement=input,layers"], "placement.at must be given, as in placement.at=VALUE"),
        (["transform=affine,nope"], "there is no transform 'nope'; the transforms are: "),
        (["transform=affine,null"], "transform=null: expected the name of a config of the group transform"),
        (["training.epochs=1,many"], "training.epochs=many: Value 'many' of type 'str' could not be converted"),
        (["out_size=${nowhere}"], "Interpolation key 'nowhere' not found"),
    ],
)
def test_a_mistake_in_one_job_ends_the_sweep(overrides, sentence, dry, stnkit_main, tmp_path):
    code, out, err = stnkit_main(*SWEEP, *overrides, *dry)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"stnkit train: {sentence}")
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
def test_a_job_may_hold_what_resolves_only_when_it_runs(stnkit_main):
    code, out, err = stnkit_main(*SWEEP, "training.step_every=1${hydra:job.num}", "dry_run=true")
    assert (code, err) == (0, "")
    assert "job 2 of 2: seed=1\n" in out


@pytest.mark.slow
@pytest.mark.parametrize("dry", [[], ["dry_run=true"]], ids=["wet", "dry"])
@pytest.mark.parametrize("name", ["${transform.name}", "${hydra:runtime.choices.transform}", "affine"])
def test_two_jobs_in_one_directory_end_the_sweep(name, dry, stnkit_main, tmp_path):
    words = [f"hydra.sweep.subdir={name}", "overwrite=true"]
    code, out, err = stnkit_main(*SWEEP, *words, *dry)
    assert (code, out) == (2, "")
    assert err == (
        "stnkit train: hydra.sweep.subdir: expected another directory for each job, got sweep/affine for both seed=0 "
        "and seed=1\n"
    )
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["hydra.sweep.subdir=${seed}"],
        ["hydra.sweep.subdir=${hydra.job.num}"],
        ["hydra.sweep.subdir=${hydra:job.num}"],
        ["hydra.sweep.subdir=${hydra.job.override_dirname}"],
        ["hydra.sweep.subdir=one", "seed=0,0"],
    ],
)
def test_jobs_may_have_directories_of_the_users(words, stnkit_main):
    code, out, err = stnkit_main(*SWEEP, *words, "dry_run=true")
    assert (code, err) == (0, "")
    assert "job 2 of " in out


@pytest.mark.training
def test_a_sweeper_that_decides_later_loses_no_run(stnkit_main, monkeypatch):
    monkeypatch.setattr(sweep_jobs, "job_overrides", lambda config: None)
    words = ["placement=none", "hydra.sweep.subdir=one", "overwrite=true"]
    code, out, err = stnkit_main(*SWEEP, *words)
    assert code == 2
    assert (metrics("sweep/one")["status"], metrics("sweep/one")["seed"]) == ("completed", 0)
    assert err.splitlines()[0].endswith(
        "sweep/one: hydra.sweep.subdir: expected another directory for each job, got one that holds a run that is "
        "completed, of another job of this sweep"
    )
    # Each line names what the sweeper has chosen.
    assert "job 1: seed=0\n" in out
    assert "job 2: seed=1\n" in out
