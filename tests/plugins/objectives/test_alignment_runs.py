"""Runs of `objective=alignment`: what they record, refuse and share between processes."""

import runpy

import numpy as np
import pytest
import torch
from matplotlib import image

import stnkit
from tests.helpers import QUICK, ROOT, metrics


@pytest.mark.process
def test_no_transformer_or_several_are_refused(stnkit_main):
    run = ["train", *QUICK[2:], "objective=alignment"]
    for placement, got in (("placement=none", "placement.at=[]"), ("placement.parallel=2", "2 in parallel")):
        code, _, err = stnkit_main(*run, placement)
        assert code == 2
        assert err == (f"stnkit train: objective=alignment: expected one spatial transformer at the input, got {got}\n")


@pytest.mark.process
def test_groups_by_label_are_refused_without_labels(stnkit_main, tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((40, 8, 8), np.uint8))
    np.save(tmp_path / "targets.npy", np.zeros((40, 2)))
    code, _, err = stnkit_main(
        "train", *QUICK[2:], "objective=alignment", "objective.groups=labels", "dataset=arrays", "dataset.root=."
    )
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "objective=alignment: expected labels, one for each image, got targets of shape [2] from Arrays" in err


@pytest.mark.process
@pytest.mark.training
def test_a_run_records_its_figures_and_its_templates(stnkit_main, tmp_path, monkeypatch):
    run = [*QUICK[2:], "objective=alignment", "objective.groups=labels", "transform=rotation", "distortion=rotation"]
    code, out, err = stnkit_main("train", *run, "hydra.run.dir=run")
    assert code == 0, err
    assert "test variance" in out
    record, objective = metrics(tmp_path / "run"), stnkit.load_run(tmp_path / "run").objective
    # It has hardly moved an image yet, so that both figures are nearly the same.
    assert record["test_variance"] == pytest.approx(record["test_variance_identity"], rel=0.1)
    assert record["test_zoom"] == pytest.approx(0, abs=1e-9)
    assert record["rectified_variance"] == pytest.approx(record["rectified_variance_identity"], rel=0.1)
    steps = 2 * 5
    assert objective.step == steps
    assert objective.updates.tolist() == [steps] * 10
    assert objective.straightened_templates.shape == (10, 1, 28, 28)
    assert (objective.straightened_templates.amax(dim=(1, 2, 3)) > 0.3).all()

    # What docs/alignment.md shows of such a run.
    monkeypatch.syspath_prepend(ROOT / "docs")
    draw = runpy.run_path(str(ROOT / "docs" / "class_means.py"))["main"]
    draw([str(tmp_path / "run"), "--out", str(tmp_path / "means.png")])
    pixels = image.imread(tmp_path / "means.png")
    assert pixels.shape[1] > pixels.shape[0] > 100
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 20


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.training
def test_templates_of_two_processes_are_those_of_one(stnkit_main, tmp_path):
    run = [*QUICK[2:], "objective=alignment", "objective.groups=labels", "training.accelerator=cpu"]
    for name, devices in (("one", []), ("two", ["training.devices=2", "training.strategy=ddp"])):
        code, _, err = stnkit_main("train", *run, "distortion=rotation", *devices, f"hydra.run.dir={name}")
        assert code == 0, err
    one, two = (stnkit.load_run(tmp_path / name).objective.state_dict() for name in ("one", "two"))
    assert one["updates"].tolist() == two["updates"].tolist()
    # Those of the images themselves do not depend on θ.
    torch.testing.assert_close(two["images_templates"], one["images_templates"])
