"""Runs of `objective=sequence` from the command line."""

import re

import numpy as np
import pytest

from tests.helpers import QUICK, metrics

SHORT_ROWS = ["dataset=sequences", "dataset.digits=[1,2]", "dataset.size=32"]


@pytest.mark.training
def test_a_run_records_both_figures_and_learns(stnkit_main):
    code, _, err = stnkit_main("train", *QUICK, *SHORT_ROWS, "training.epochs=3", "hydra.run.dir=run")
    assert code == 0, err
    told = metrics("run")
    assert told["config"]["objective"]["name"] == "sequence"
    losses = [epoch["train_loss"] for epoch in told["history"]]
    assert losses == sorted(losses, reverse=True)
    for epoch in told["history"]:
        # A sequence is wrong as soon as one of its digits is.
        assert 0 < epoch["validation_digit_error"] <= epoch["validation_sequence_error"] <= 100
    assert told["test_digit_error"] <= told["test_sequence_error"]


@pytest.mark.training
def test_another_number_of_outputs_is_not_evaluated(stnkit_main, tmp_path):
    arguments = [*QUICK, "dataset=sequences", "dataset.digits=[1,4]", "dataset.size=32", "training.epochs=1"]
    # 4 positions of 4 classes and none: as many outputs as 5 of 3 classes and none, or one of 19 and none.
    for classes in (3, 4, 9):
        images = np.full((900, 8, 8), 255, np.uint8)
        np.savez(tmp_path / f"{classes}.npz", images=images, targets=np.arange(900) % classes)
    source = "{name:arrays,images:4.npz}"
    code, _, err = stnkit_main("train", *arguments, f"dataset.source={source}", "hydra.run.dir=run")
    assert code == 0, err
    assert stnkit_main("evaluate", "run")[0] == 0
    for overrides, told in (
        (["dataset.digits=[1,1]"], "expected a dataset of 20 outputs, as the network has, got one of 5, with targets"),
        (["dataset.digits=[1,3]"], "expected a dataset of 20 outputs, as the network has, got one of 15, with targets"),
        (["dataset.digits=[1,11]"], "got one of 55, with targets of shape [11]"),
        (["dataset.source.images=9.npz"], "expected a dataset of 4 classes, as the run was trained on, got 9"),
        (["dataset.source.images=3.npz", "dataset.digits=[1,5]"], "expected a dataset of 4 classes, as the run was"),
    ):
        code, _, err = stnkit_main("evaluate", "run", *overrides)
        assert code == 2
        assert told in err
        assert len(err.strip().splitlines()) == 1


@pytest.mark.training
def test_parallel_transformers_and_label_smoothing_train(stnkit_main):
    code, _, err = stnkit_main(
        *("train", *QUICK, *SHORT_ROWS, "placement.parallel=2", "objective.label_smoothing=0.1"),
        "hydra.run.dir=run",
    )
    assert code == 0, err
    # Two softmaxes of equal outputs cost 2 log 11 = 4.8.
    assert metrics("run")["history"][-1]["train_loss"] < 4.8


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset=digits"], r"expected a dataset with targets of shape \(N, positions\) or \(N,\), got Digits"),
        (["dataset=sequences", "network=none"], "network=none"),
        (["dataset=sequences", "dataset.digits=[0,5]"], "digits: expected the fewest and the most digits"),
        (
            ["dataset=sequences", "dataset.digits=[1,2,3]"],
            r"digits: expected tuple\[int, int\], got \[1, 2, 3\]",
        ),
    ],
)
def test_a_mistake_is_one_sentence(overrides, message, stnkit_main):
    code, _, err = stnkit_main("train", *QUICK[3:], "objective=sequence", *overrides, "hydra.run.dir=run")
    assert code == 2
    assert re.search(message, err), err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.training
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset=sequences", "objective=classification"], "expected labels"),
        (["dataset=svhn", "dataset.root=nowhere"], "no SVHN in dataset.root=nowhere: that folder does not exist"),
    ],
)
def test_data_of_another_kind_is_one_sentence(overrides, message, stnkit_main):
    code, _, err = stnkit_main("train", *QUICK, *overrides, "hydra.run.dir=run")
    assert code == 2
    assert re.search(message, err), err
    assert len(err.strip().splitlines()) == 1
