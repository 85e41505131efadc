import csv
import json
import sys

import pytest
import torch

from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import QUICK, metrics, use_few_digits


@pytest.mark.training
def test_a_run_leaves_a_directory_that_tells_everything(stnkit_main, tmp_path):
    code, out, _ = stnkit_main("train", *QUICK, "hydra.run.dir=run", "training.loggers=[csv,tensorboard]")
    assert code == 0
    told = metrics("run")
    assert told["status"] == "completed"
    assert f"test error  {told['test_error']:.2f} %" in out
    for name in ("metrics.json", "checkpoints/last.ckpt", "transformer.png", "config.yaml", ".hydra/overrides.yaml"):
        assert (tmp_path / "run" / name).stat().st_size > 0
    for path in (told["checkpoint"], told["picture"], "run/metrics.json"):
        assert path in out
    assert 0 <= told["test_error"] <= 100
    assert told["seed"] == 0
    assert told["seconds"] > 0
    assert told["images_per_second"] > 0
    assert told["n_parameters"] > 1000
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    rows = list(csv.DictReader((tmp_path / "run" / "csv" / "metrics.csv").read_text().splitlines()))
    assert rows
    logged = {"train_loss", "train_error", "validation_loss", "validation_error"}
    watched = {"validation_outside", "validation_theta_distance", "train_theta_distance"}
    for row in told["history"]:
        assert logged | watched <= set(row)
    assert [row["epoch"] for row in told["history"]] == [0, 1]
    assert told["history"][1]["train_loss"] < told["history"][0]["train_loss"]


def test_metrics_depend_on_the_seed_alone(quick_run, stnkit_main):
    for name, seed in (("b", 0), ("c", 1)):
        assert stnkit_main("train", *QUICK, f"hydra.run.dir={name}", f"seed={seed}")[0] == 0
    a, b, c = map(metrics, (quick_run, "b", "c"))
    assert a["history"] == b["history"]
    assert a["test_loss"] == b["test_loss"] != c["test_loss"]


@pytest.mark.training
def test_a_sweep_gives_a_run_directory_for_every_job(stnkit_main, tmp_path):
    code, _, _ = stnkit_main(
        "train", "-m", *QUICK, "transform=affine", "placement=none,input", "seed=0,1", "hydra.sweep.dir=sweep"
    )
    assert code == 0
    told = [metrics(path.parent) for path in sorted(tmp_path.glob("sweep/*/metrics.json"))]
    jobs = {(bool(m["config"]["placement"]["at"]), m["seed"]) for m in told}
    assert jobs == {(placed, seed) for placed in (False, True) for seed in (0, 1)}
    assert all(m["status"] == "completed" for m in told)


@pytest.mark.training
def test_a_failed_job_tells_why_and_the_others_go_on(stnkit_main, tmp_path):
    code, _, err = stnkit_main("train", "-m", *QUICK, "localizer.hidden=[0],[8]", "hydra.sweep.dir=sweep")
    assert code == 2
    assert "hidden: expected one or more widths" in err
    assert [metrics(tmp_path / "sweep" / job)["status"] for job in "01"] == ["failed", "completed"]
    assert "hidden: expected one or more" in metrics(tmp_path / "sweep" / "0")["error"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("transform=nonsense", "there is no transform 'nonsense'; the transforms are: affine"),
        ("transform=null", "transform=null: expected the name of a config of the group transform"),
        ("~distortion=1", "~distortion=1: expected the name of a config of the group distortion"),
        ("training=nonsense", "Could not find 'training/nonsense' Available options in 'training': default paper"),
        ("out_size=28", "out_size=28: Invalid value assigned: expected a list, such as [28,28]"),
        ("placement.at=conv2", "placement.at=conv2: Invalid value assigned: expected a list, such as [28,28]"),
        ("training.equivariance=0", "expected a group of options, got 0"),
        ("training.lr=1e-3", "there is no training.lr; did you mean training.learning_rate?"),
        ("epochs=1", "there is no epochs; did you mean training.epochs?"),
        ("transfrom=tps", "there is no transfrom; did you mean transform?"),
        ("degrees=9", "there is no degrees; did you mean distortion.degrees or training.equivariance.degrees?"),
        ("transform.no_such_option=1", "there is no transform.no_such_option; the keys of transform are name, ndim"),
        ("++training.foo=1", "there is no training.foo; did you mean training.epochs?"),
        ("+foo=1", "there is no foo; the keys of the config are transform, localizer"),
        ("+transform.foo=1", "there is no transform.foo; did you mean transform.ndim?"),
        ("~dataset", "dataset must be given, as in dataset=VALUE"),
        ("out_size=${nowhere}", "Interpolation key 'nowhere' not found"),
        ("training.epochs=many", "Value 'many' of type 'str' could not be converted to Integer"),
        ("training.epochs=0", "training.epochs: expected a number of at least 1, got 0"),
        ("transform.ndim=3", "'affine' warps 3 dimensions, but the images have 2"),
        ("out_size=[0,5]", "expected 2 whole numbers of at least 1, got [0, 5]"),
        pytest.param(
            "dataset=mnist",
            "no MNIST in dataset.root=data/mnist: that folder does not exist",
            marks=pytest.mark.training,
        ),
        ("seed=-1", "seed: expected a whole number from 0 to 4294967295, got -1"),
        ("seed=4294967296", "seed: expected a whole number from 0 to 4294967295, got 4294967296"),
        ("training.accelerator=tpu", "training: Requirement 'torch_xla"),
        ("training.precision=17", "training.precision: expected one of 32-true"),
        pytest.param("training.learning_rate=1e9", "the last finite checkpoint is", marks=pytest.mark.training),
        ("nonsense", "nonsense: expected KEY=VALUE"),
        (
            "hydra.run.dir=runs/a=b",
            "hydra.run.dir=runs/a=b: expected a value that Hydra can read, got mismatched input '=' expecting <EOF>; "
            """quote such a value: "hydra.run.dir='runs/a=b'\"""",
        ),
        ("lr:=1", "lr:=1: expected a key that Hydra can read, got 'lr:'"),
        ("seed=range(1,", "seed=range(1,: expected a value that Hydra can read, got no viable alternative at input"),
        ("seed=ü", "seed=ü: expected a value that Hydra can read, got characters that it does not take; quote such"),
        ("seed=[1,2", "seed=[1,2: expected a value that Hydra can read, got no viable alternative at input '[1,2'"),
        ("resume=nowhere", "resume=nowhere: expected a run directory, but it does not exist"),
        ("hydra.run.dir=/dev/null/x", "/dev/null"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_exit_code_2(override, message, stnkit_main):
    code, _, err = stnkit_main("train", *QUICK, override)
    assert code == 2
    (line,) = [line for line in err.splitlines() if line and not line.startswith("[")]
    assert line.startswith("stnkit train: ")
    assert message in line
    assert "Traceback" not in err


def test_a_precision_that_the_device_replaces_is_refused(copy_of_quick_run, stnkit_main):
    before = metrics("run")
    half = ("training.accelerator=cpu", "training.precision=16-mixed")
    for options in ("hydra.run.dir=new",), ("hydra.run.dir=run", "overwrite=true"):
        code, _, err = stnkit_main("train", *QUICK, *half, *options)
        assert (code, err) == (2, "stnkit train: training.precision: expected bf16-mixed on a CPU, got 16-mixed\n")
    assert metrics("run") == before


def test_a_localizer_too_deep_for_its_images_is_one_sentence(stnkit_main):
    code, _, err = stnkit_main(
        "train", *[o for o in QUICK if "localizer" not in o], "localizer.channels=[20,20,20,20,20,20]"
    )
    assert code == 2
    assert "too deep for images of 42×42" in err
    assert "Traceback" not in err


@pytest.mark.training
def test_a_diverging_run_leaves_its_last_finite_checkpoint(stnkit_main):
    code, _, err = stnkit_main("train", *QUICK, "training.learning_rate=1e9", "hydra.run.dir=run")
    assert code == 2
    told = metrics("run")
    assert told["status"] == "failed"
    assert "is not finite in step" in told["error"]
    state = torch.load("run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert all(bool(torch.isfinite(value).all()) for value in state.values())
    assert "run/checkpoints/last.ckpt" in err


@pytest.fixture
def stopped(copy_of_quick_run):
    """A run that was killed after its first epoch, as it lies on disk."""
    path = copy_of_quick_run / "metrics.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"status": "running"}))
    return told


def test_resuming_refuses_what_would_change_the_run(stnkit_main, stopped):
    code, _, err = stnkit_main("train", "resume=run", "seed=3")
    assert code == 2
    assert "seed: expected 0 as in resume=run, got 3" in err


def test_a_run_resumed_before_its_test_keeps_its_history(stnkit_main, stopped):
    assert stnkit_main("train", "resume=run")[0] == 0
    told = metrics("run")
    assert told["status"] == "completed"
    assert {name: told[name] for name in ("history", "epoch", "step", "images_per_second", "test_loss")} == {
        name: stopped[name] for name in ("history", "epoch", "step", "images_per_second", "test_loss")
    }
    assert told["seconds"] > stopped["seconds"]
    # The options of the run, not the defaults.
    assert told["config"]["training"]["progress"] is False


def test_a_mistyped_directory_is_not_made(stnkit_main, tmp_path):
    assert stnkit_main("train", "resume=typo")[0] == 2
    assert not (tmp_path / "typo").exists()


def test_resuming_from_a_file_names_its_directory(stnkit_main, stopped):
    code, _, err = stnkit_main("train", "resume=run/checkpoints/last.ckpt")
    assert code == 2
    assert "expected a run directory, got a file; perhaps resume=run" in err


def test_a_completed_run_is_not_resumed(stnkit_main, copy_of_quick_run):
    before = metrics("run")
    code, _, err = stnkit_main("train", "resume=run")
    assert code == 2
    assert err == (
        "stnkit train: resume=run: expected an interrupted run, got a completed one, whose training.schedule=one_cycle "
        "is planned over all epochs; a run with init_from=run starts from its weights\n"
    )
    assert metrics("run") == before


def test_resuming_from_a_checkpoint_cut_short_is_one_sentence(stnkit_main, stopped, tmp_path):
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    code, _, err = stnkit_main("train", "resume=run")
    assert code == 2
    assert "last.ckpt is cut short or damaged" in err
    assert "Traceback" not in err
    assert metrics("run")["history"] == stopped["history"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the nearest sampler has zero gradient")
@pytest.mark.parametrize("kind", ["transform", "sampler"])
@pytest.mark.training
def test_every_transform_and_every_sampler_trains(kind, stnkit_main, tmp_path, monkeypatch):
    use_few_digits(monkeypatch)
    # Through the sampler alone: the gradient of equivariance needs none.
    alone = ["training.equivariance.weight=0", "training.epochs=1"]
    code, _, err = stnkit_main(
        "train", "-m", *QUICK, *alone, "out_size=[12,12]", f"{kind}=glob(*)", "hydra.sweep.dir=sweep"
    )
    assert code == 0, err
    told = [metrics(path.parent) for path in tmp_path.glob("sweep/*/metrics.json")]
    assert {m["config"][kind]["name"] for m in told} == set(plugin_registry().names(kind))
    assert all(m["status"] == "completed" for m in told)
    still = {m["config"][kind]["name"] for m in told if m["history"][0]["validation_theta_distance"] == 0}
    assert still == ({"nearest"} if kind == "sampler" else set())


def test_hydras_own_error_switch_brings_no_traceback(stnkit_main, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    code, _, err = stnkit_main("train", "tranform=tps")
    assert (code, err) == (2, "stnkit train: there is no tranform; did you mean transform?\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training: {epoch: 3}", "there is no training.epoch; did you mean training.epochs?"),
        ("training: {epochs: many}", "training.epochs: Value 'many' of type 'str' could not be converted to Integer"),
    ],
)
def test_a_mistake_in_an_experiment_names_the_file(text, said, stnkit_main, tmp_path):
    file = tmp_path / "conf" / "experiment" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"# @package _global_\n{text}\n")
    code, _, err = stnkit_main("train", *QUICK, f"hydra.searchpath=[{file.parents[1]}]", "+experiment=mine")
    assert (code, err) == (2, f"stnkit train: experiment/mine.yaml: {said}\n")


@pytest.mark.parametrize("arguments", [["--cfg", "job"], ["nonsense"]])
def test_the_arguments_of_the_process_stay_as_they_are(arguments, stnkit_main):
    before = list(sys.argv)
    stnkit_main("train", *arguments)
    assert sys.argv == before
