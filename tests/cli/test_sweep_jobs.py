"""The jobs of a sweep are checked before the first of them runs."""

import pytest

from tests.helpers import QUICK

SWEEP = ["train", "-m", *QUICK, "training.epochs=1", "seed=0,1", "hydra.sweep.dir=sweep"]


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


def test_a_job_may_hold_what_resolves_only_when_it_runs(stnkit_main):
    code, out, err = stnkit_main(*SWEEP, "training.step_every=1${hydra:job.num}", "dry_run=true")
    assert (code, err) == (0, "")
    assert "job 2 of 2: seed=1\n" in out
