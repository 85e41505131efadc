"""Runs of `objective=sequence` from the command line."""

import re

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
