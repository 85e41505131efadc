"""The distortion that a dataset suggests, and everything that takes precedence over it."""

import json

import numpy as np
import pytest
import torch

from stnkit.plugin_system.registry import PluginWarning, plugin_registry
from tests.helpers import QUICK, metrics

PLUGIN = """
import stnkit, torch
class Squares(stnkit.Dataset):
    n_classes, image_shape{more} = 2, (3, 12, 16){values}
    {body}
    def split(self, name):
        labels = torch.arange(24) % 2
        images = torch.randint(0, 256, (24, 3, 12, 16), generator=torch.Generator().manual_seed(len(name)))
        return images.to(torch.uint8), labels{target}
@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("squares", Squares)
"""


@pytest.fixture
def squares(make_distribution):
    """Installs a dataset of this kind."""

    def make(body="", more="", values="", target=""):
        text = PLUGIN.format(body=body, more=more, values=values, target=target)
        make_distribution("squares", {"squares_of_ours": text}, {"dataset.squares": "squares_of_ours"})

    return make


def chosen(stnkit_main, *words):
    """The name of the distortion of a composed config, with the whole text."""
    code, out, err = stnkit_main("train", *words, "--cfg", "job")
    assert code == 0, err
    return out.split("\ndistortion:\n  name: ")[1].splitlines()[0], out


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "rts"),
        (["dataset=digits"], "rts"),
        (["dataset=mnist"], "rts"),
        (["dataset=addition"], "rts"),
        (["dataset=arrays"], "none"),
        (["dataset=squares"], "none"),
        (["dataset=arrays", "distortion=elastic"], "elastic"),
        (["distortion=elastic", "dataset=arrays"], "elastic"),
        (["dataset=digits", "distortion=none"], "none"),
        (["dataset=squares", "model=st_cnn_tps"], "none"),
        (["experiment=rotation_ablation", "hydra.mode=RUN"], "rotation"),
        (["experiment=rotation_ablation", "dataset=squares", "hydra.mode=RUN"], "rotation"),
        (["experiment=paper_clutter", "dataset=squares", "hydra.mode=RUN"], "translated_cluttered"),
        (["experiment=paper_clutter", "distortion=rts", "hydra.mode=RUN"], "rts"),
    ],
)
def test_a_dataset_suggests_and_a_choice_decides(words, name, stnkit_main, squares):
    squares()
    assert chosen(stnkit_main, *words)[0] == name


@pytest.mark.slow
def test_a_dataset_of_ones_own_names_its_distortion(stnkit_main, squares):
    squares(body="default_distortion = 'elastic'")
    assert chosen(stnkit_main, "dataset=squares")[0] == "elastic"
    assert chosen(stnkit_main, "dataset=squares", "distortion=rotation")[0] == "rotation"
    out = chosen(stnkit_main, "dataset=squares", "distortion.std=0.5")[1]
    assert "  std: 0.5\n" in out
    assert "defaults" not in out


def test_a_suggestion_of_nothing_is_one_sentence(stnkit_main, squares):
    squares(body="default_distortion = 'gone'")
    code, _, err = stnkit_main("train", "dataset=squares", *QUICK)
    assert code == 2
    assert "there is no distortion 'gone'" in err
    assert len(err.splitlines()) == 1


def test_a_suggestion_that_is_no_name_is_refused(squares):
    squares(body="default_distortion = 3")
    with pytest.warns(PluginWarning, match=r"Squares.default_distortion: expected the name of a component, got 3"):
        plugin_registry()


def test_an_option_of_another_distortion_is_refused(stnkit_main):
    code, _, err = stnkit_main("train", "dataset=arrays", "distortion.degrees=30")
    assert code == 2
    assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_help_and_descriptions_know_the_suggestion(stnkit_main, squares):
    squares()
    code, out, _ = stnkit_main("train", "dataset=squares", "--help")
    assert code == 0
    assert "distortion: NAME = none" in out
    code, out, _ = stnkit_main("plugins", "show", "dataset", "digits")
    assert code == 0
    assert "defaults" not in out


@pytest.mark.training
def test_a_dry_run_tells_the_suggestion(stnkit_main, squares):
    squares()
    code, out, err = stnkit_main("train", "dataset=squares", *QUICK, "dry_run=true")
    assert code == 0, err
    assert "distortion    none\n" in out or "distortion  none\n" in out


@pytest.mark.training
def test_each_job_of_a_sweep_has_the_suggestion_of_its_dataset(stnkit_main, squares, tmp_path):
    squares(more=", class_names", values=", ('left', 'right')")
    words = ["train", "-m", "dataset=squares,digits", *QUICK, "training.epochs=1", "hydra.sweep.dir=sweep"]
    words.append("training.schedule=constant")
    assert stnkit_main(*words)[0] == 0
    told = [metrics(tmp_path / "sweep" / job) for job in "01"]
    assert [each["config"]["distortion"]["name"] for each in told] == ["none", "rts"]
    assert [each.get("class_names") for each in told] == [["left", "right"], None]
    code, out, _ = stnkit_main(*words, "skip_completed=true")
    assert code == 0
    assert out.count("(already completed)") == 2
    code, out, _ = stnkit_main("report", "sweep", "--html", "page.html")
    assert code == 0
    assert "<span>left</span><span>right</span>" in (tmp_path / "page.html").read_text()
    # A run that is resumed stays with its distortion.
    code, _, err = stnkit_main("train", "resume=sweep/1", "training.epochs=2")
    assert code == 0, err
    assert metrics(tmp_path / "sweep" / "1")["config"]["distortion"]["name"] == "rts"


@pytest.mark.training
def test_targets_that_are_no_labels_are_refused(stnkit_main, squares):
    squares(target=" / 2")
    code, _, err = stnkit_main("train", "dataset=squares", *QUICK, "hydra.run.dir=run")
    assert code == 2
    assert err == (
        "stnkit train: Squares.split('train'): expected labels for classification, whole numbers of shape (N,), "
        "got torch.float32 of shape (24,)\n"
    )


@pytest.mark.slow
def test_a_dataset_without_classes_is_refused(stnkit_main, tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((20, 8, 8), "uint8"))
    np.save(tmp_path / "targets.npy", np.zeros((20, 2), "float32"))
    code, _, err = stnkit_main("train", "dataset=arrays", *QUICK, "hydra.run.dir=run")
    assert code == 2
    assert err == (
        "stnkit train: objective=classification: expected labels, one for each image, got targets of shape [2] "
        "from Arrays\n"
    )


@pytest.mark.training
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset.n_classes": 1}, "n_classes: expected at least 2, or null, got 1"),
        ({"dataset.class_names": "[a]"}, "Arrays.class_names: expected one name for each of the 2 classes, got 1"),
        ({"dataset.images": "nan.npy", "dataset.targets": "targets.npy"}, "expected finite images, got NaN or infin"),
    ],
)
def test_arrays_that_no_run_can_use_are_one_sentence(change, message, stnkit_main, tmp_path):
    images = torch.rand(40, 8, 8)
    np.save(tmp_path / "images.npy", images.numpy())
    np.save(tmp_path / "nan.npy", torch.full_like(images, torch.nan).numpy())
    np.save(tmp_path / "targets.npy", np.arange(40) % 2)
    words = [f"{key}={value}" for key, value in change.items()]
    code, _, err = stnkit_main("train", "dataset=arrays", *words, *QUICK, "hydra.run.dir=run")
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "run" / "checkpoints").exists()
    record = tmp_path / "run" / "metrics.json"
    assert json.loads(record.read_text())["status"] == "failed"
