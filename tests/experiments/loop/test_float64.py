"""`training.precision=64-true` is float64 from the images to the loss."""

import json

import pytest
import torch
import torch.nn.functional as F

import stnkit
from tests.helpers import QUICK, metrics

LOSSES = ("training.equivariance.weight=1", "training.supervision=0.1")


@pytest.mark.training
def test_a_run_in_float64_trains_loads_and_is_evaluated(stnkit_main):
    options = ("training.precision=64-true", "training.epochs=1", *LOSSES)
    code, _, err = stnkit_main("train", *QUICK, *options, "hydra.run.dir=run")
    assert (code, err) == (0, "")
    told = metrics("run")
    state = torch.load("run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert {value.dtype for name, value in state.items() if name.startswith("network.")} == {torch.float64}
    run = stnkit.load_run("run")
    test = run.data.fixed("test")
    with torch.no_grad():
        theta, logits = run.network.transformer.localize(test.images[:]), run.network(test.images[:])
    assert test.images.dtype == theta.dtype == logits.dtype == torch.float64
    # Digits that float32 has not: the distorted images are those of a run in float32, nothing else is.
    assert not torch.equal(theta, theta.float().double())
    assert told["test_loss"] == pytest.approx(F.cross_entropy(logits, test.labels).item(), rel=1e-6)
    code, out, _ = stnkit_main("evaluate", "run", "--json")
    assert code == 0
    again = json.loads(out)
    assert {name: again[name] for name in ("test_loss", "test_error", "pose")} == {
        name: told[name] for name in ("test_loss", "test_error", "pose")
    }


@pytest.mark.training
def test_float64_is_near_float32_and_not_equal(quick_run, stnkit_main):
    assert stnkit_main("train", *QUICK, "training.precision=64-true", "hydra.run.dir=run")[0] == 0
    ours, single = (metrics(folder)["history"][0]["train_loss"] for folder in ("run", quick_run))
    assert ours != single
    assert ours == pytest.approx(single, rel=1e-3)
