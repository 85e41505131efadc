"""Flags of `stnkit train` may stand between the overrides."""

import pytest

from stnkit.cli.train_arguments import ordered
from tests.helpers import QUICK


@pytest.mark.parametrize(
    ("arguments", "overrides", "flags"),
    [
        ([], [], []),
        (["seed=3", "-m", "seed=1,2"], ["seed=3", "seed=1,2"], ["-m"]),
        (["+model=cnn", "--config-dir", "conf", "~dataset"], ["model=cnn", "~dataset"], ["--config-dir", "conf"]),
        (["a=1", "--config-dir=a=1", "-c", "job", "b=2"], ["a=1", "b=2"], ["--config-dir=a=1", "-c", "job"]),
        (["seed=3", "--info"], ["seed=3"], ["--info"]),
    ],
)
def test_the_overrides_stand_together(arguments, overrides, flags):
    assert ordered(arguments) == (overrides, flags)


@pytest.mark.slow
def test_a_sweep_may_be_asked_for_between_overrides(stnkit_main):
    words = [*QUICK, "seed=3", "-m", "transform=affine,rotation", "dry_run=true"]
    code, out, err = stnkit_main("train", *words)
    assert (code, err) == (0, "")
    assert "job 2 of 2: transform=rotation" in out


@pytest.mark.parametrize("flags", [["--cfg", "job"], ["--info", "config"], ["--config-dir", "conf", "-c", "job"]])
def test_a_run_is_resumed_with_flags_behind_it(flags, stnkit_main, copy_of_quick_run, tmp_path):
    (tmp_path / "conf").mkdir()
    code, out, err = stnkit_main("train", "resume=run", *flags, "training.epochs=3")
    assert (code, err) == (0, "")
    assert "name: fully_connected" in out  # the localizer of the run
    assert "epochs: 3" in out


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["seed=3", "--nonsense", "dry_run=true"], "unrecognized arguments: --nonsense; "),
        (["--cfg"], "argument --cfg/-c: expected one argument"),
        (["--cfg", "yaml"], "argument --cfg/-c: invalid choice: 'yaml'"),
    ],
)
def test_a_wrong_flag_is_one_sentence_and_exit_code_2(flags, sentence, stnkit_main):
    code, out, err = stnkit_main("train", "seed=0", *flags)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"stnkit train: {sentence}")
    assert line.endswith("; `stnkit train --hydra-help` lists the flags")
