"""A dry run tells what would run, and leaves nothing behind."""

import itertools
import json
import re
import shutil
from pathlib import Path

import pooch
import pytest
import torch
from omegaconf import OmegaConf

from stnkit.experiments.run_directory.checkpoints import last_checkpoint
from tests.helpers import QUICK, metrics

pytestmark = pytest.mark.training


@pytest.fixture
def dry(stnkit_main, tmp_path):
    """The lines of a dry run by their labels, after a look at the disk."""

    def run(*arguments):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        code, out, err = stnkit_main("train", *arguments, "dry_run=true")
        assert code == 0, err
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
        assert out.endswith("Nothing was written.\n")
        return dict(
            line.split(maxsplit=1) for line in out.splitlines() if not line.startswith((" ", "at ", "job "))
        ), out

    return run


def test_it_tells_components_shapes_steps_time_and_memory(dry, quick_run):
    # Digits in batches of 256 on a canvas of 42×42, 1,197 training images.
    told, out = dry(*QUICK, "transform=tps", "transform.control_points=[3,4]", "out_size=[20,30]")
    assert told["dataset"] == "digits"
    assert "1,197 train, 200 validation, 400 test images of 1×28×28, 10 classes" in out
    assert told["distortion"] == "rts degrees=45.0 scale=[0.7,1.2] canvas=null padding=zeros"
    assert told["objective"] == "classification label_smoothing=0.0 class_weights=null"
    later = "pinned=null kernel=null epsilon=null"
    assert told["transform"] == f"tps control_points=[3,4] regularization=0.0 ndim=2 {later}"
    assert told["localizer"] == "fully_connected hidden=null"
    assert told["sampler"] == "bilinear padding=zeros fill_value=0.0 double_backward=false"
    assert told["network"] == "paper_fcn hidden=[16] average_pool=null"
    assert re.search(
        r"at input +input \(256, 1, 42, 42\), θ \(256, 24\), grid \(256, 20, 30, 2\), output \(256, 1, 20, 30\)", out
    )
    assert told["steps"] == "5 in an epoch, 10 in 2 epochs"
    assert re.fullmatch(r"about \S+ s: \S+ s a step, \S+ s a validation, on one CPU", told["time"])
    used, available = map(float, re.fullmatch(r"about (\S+) GiB of (\S+) GiB", told["memory"]).groups())
    assert 0.1 < used < available
    told, _ = dry(*QUICK)
    assert told["parameters"] == f"{metrics(quick_run)['n_parameters']:,}"


def test_it_tells_the_shapes_at_every_insertion_point(dry):
    _, out = dry(
        *("placement=layers", "placement.at=[input,1]", "network=compact_cnn", "localizer=fully_connected"),
        *("training.batch_size=50", "distortion=none"),
    )
    points = re.findall(r"^at (\S+) +input (\(.*?\)), θ (\(.*?\))", out, re.MULTILINE)
    assert [(point, theta) for point, _, theta in points] == [("input", "(50, 6)"), ("layers.1", "(50, 6)")]
    assert points[0][1] == "(50, 1, 28, 28)"


def test_what_is_taken_from_the_images_is_told(dry, stnkit_main):
    wide = ["transform=rotation", "distortion.canvas=[42,63]", "training.epochs=1"]
    told, _ = dry(*QUICK, *wide)
    assert told["aspect"] == "1.5 at input (width / height of the images)"
    assert told["steps"] == "5 in an epoch, 5 in 1 epoch"
    assert "aspect" not in dry(*QUICK, *wide, "transform.aspect=1.0")[0]
    code, out, err = stnkit_main("train", *QUICK, *wide, "hydra.run.dir=wide")
    assert code == 0, err
    assert out.count("\naspect      1.5 at input (width / height of the images)\n") == 1
    assert metrics("wide")["options_from_images"] == {"input": {"aspect": 1.5}}
    assert metrics("wide")["config"]["transform"]["aspect"] is None
    assert "options taken from the images: {'input': {'aspect': 1.5}}" in Path("wide/train.log").read_text()


def test_a_network_alone_has_no_transformer_to_tell(dry):
    told, out = dry(*QUICK, "placement=none")
    assert told["placement"] == "none: the network alone"
    assert "θ" not in out


def test_missing_data_are_replaced_by_noise_and_not_fetched(dry, monkeypatch):
    monkeypatch.setattr(pooch, "retrieve", lambda *args, **kwargs: pytest.fail("it fetches"))
    told, out = dry(*QUICK, "dataset=mnist", "dataset.download=true", "training.batch_size=16")
    assert told["steps"].startswith("unknown: no MNIST in dataset.root=data/mnist: that folder does not exist")
    assert re.fullmatch(r"\S+ s a step on one CPU", told["time"])
    assert "input (16, 1, 42, 42)" in out


def test_a_dry_sweep_lists_its_jobs(dry):
    told, out = dry("-m", *QUICK, "transform=affine,tps", "seed=0,1,2", "hydra.sweep.dir=sweep")
    jobs = re.findall(r"^job (\d) of 6: transform=(\w+) seed=(\d)$", out, re.MULTILINE)
    pairs = itertools.product(("affine", "tps"), "012")
    assert jobs == [(str(n), *pair) for n, pair in enumerate(pairs, start=1)]
    assert told["They"].startswith("would run in sweep.")


def test_an_experiment_lists_its_jobs_too(dry):
    _, out = dry("+experiment=rotation_ablation", "seed=0")
    assert len(re.findall(r"^job \d of 6: model=\w+$", out, re.MULTILINE)) == 6


def test_a_run_that_would_be_resumed_is_told(dry, copy_of_quick_run):
    path = copy_of_quick_run / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "interrupted", "epoch": 1}))
    checkpoint = torch.load(last_checkpoint(copy_of_quick_run), weights_only=True)
    torch.save(checkpoint | {"global_step": 3}, last_checkpoint(copy_of_quick_run))
    told, _ = dry("resume=run")
    assert told["resume"] == "run, after 1 of 2 epochs"
    assert told["steps"] == "5 in an epoch, 7 left in 2 epochs"
    total, step, validation = map(
        float, re.match(r"about (\S+) s: (\S+) s a step, (\S+) s a val", told["time"]).groups()
    )
    assert total == pytest.approx(7 * step + 2 * validation, rel=0.15)
    same = [*QUICK, "hydra.run.dir=run", "skip_completed=true"]
    assert dry(*same)[0]["steps"] == told["steps"]
    assert told["network"] == "paper_fcn hidden=[16] average_pool=null"


def test_a_completed_run_would_not_run_again(dry, copy_of_quick_run):
    told, out = dry(*QUICK, "hydra.run.dir=run", "skip_completed=true")
    assert told["directory"] == "run, whose run is completed"
    assert out.endswith("\nNothing would run. Nothing was written.\n")
    assert "steps" not in told


@pytest.mark.parametrize(
    ("swept", "told"),
    [
        (
            ["training.learning_rate=1e-3,0.001,1.0e-3"],
            [
                "training.learning_rate=0.001",
                "training.learning_rate=0.001, the same as job 1",
                "training.learning_rate=0.001, the same as job 1",
            ],
        ),
        (["seed=choice(1,2,1)"], ["seed=1", "seed=2", "seed=1, the same as job 1"]),
        (["++seed=1,1"], ["++seed=1", "++seed=1, the same as job 1"]),
        (
            ["training.accelerator=cpu,auto"],
            ["training.accelerator=cpu", "training.accelerator=auto, the same as job 1"],
        ),
        (["seed=1,1", "skip_completed=true"], ["seed=1, new", "seed=1, the same as job 1"]),
    ],
)
def test_a_dry_sweep_tells_which_jobs_are_equal(swept, told, stnkit_main):
    code, out, err = stnkit_main("train", "-m", *QUICK, *swept, "dry_run=true")
    assert (code, err) == (0, "")
    assert out.splitlines()[:-2] == [f"job {n} of {len(told)}: {text}" for n, text in enumerate(told, start=1)]


def test_a_dry_sweep_tells_the_state_of_every_job(dry, quick_run, tmp_path):
    for seed, status in enumerate(("completed", "interrupted")):
        run = Path(shutil.copytree(quick_run, tmp_path / f"sweep/{seed}"))
        record = json.loads((run / "metrics.json").read_text()) | {"status": status}
        (run / "metrics.json").write_text(json.dumps(record))
        config = OmegaConf.load(run / "config.yaml")
        OmegaConf.save(OmegaConf.merge(config, {"seed": seed}), run / "config.yaml")
    sweep = ["-m", *QUICK, "seed=1,2,0", "hydra.sweep.dir=sweep"]
    _, out = dry(*sweep, "skip_completed=true")
    jobs = [line for line in out.splitlines() if line.startswith("job ")]
    assert jobs == ["job 1 of 3: seed=1, continues", "job 2 of 3: seed=2, new", "job 3 of 3: seed=0, completed"]
    _, out = dry(*sweep)
    assert "job 1 of 3: seed=1\n" in out


def test_labels_stand_apart_and_initial_values_are_told(dry, quick_run):
    told, _ = dry(*QUICK, f"init_from={quick_run}", "training.epochs=1")
    assert told["init_from"] == str(quick_run)
    told, out = dry(*QUICK, "transform_init={zoom:2}", "training.epochs=1")
    assert told["transform_init"] == "{zoom:2}"
    columns = {re.match(r"(\S+( \S+)? {2,}|\s+)", line).end() for line in out.splitlines()[:-1]}
    assert columns == {len("transform_init") + 2}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["transform.ndim=3"], "'affine' warps 3 dimensions, but the images have 2"),
        (["placement=layers"], "placement.at must be given, as in placement.at=VALUE"),
        (["training.accelerator=tpu"], "training: "),
        (
            ["training.accelerator=cpu", "training.precision=16-mixed"],
            "training.precision: expected bf16-mixed on a CPU, got 16-mixed",
        ),
        (["hydra.run.dir=run"], "run holds a run that is completed"),
        (["transform=nonsense"], "there is no transform 'nonsense'"),
        (["-m", "dry_run=true,false", "hydra.sweep.dir=sweep"], "dry_run: expected one value for the whole sweep"),
        (["-m", "dry_run=true", "seed=0,1", "transform=affine,nope"], "there is no transform 'nope'"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, copy_of_quick_run, stnkit_main):
    dry = [] if "-m" in arguments else ["dry_run=true"]
    code, _, err = stnkit_main("train", *arguments, *QUICK, "training.epochs=1", *dry)
    assert code == 2
    assert sentence in err.splitlines()[0]
    assert "Traceback" not in err
