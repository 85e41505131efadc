"""Presets and experiments: every job composes, can be built, and matches its name."""

import re

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from stnkit.cli.hydra_internals import split_into_jobs
from stnkit.experiments.loop.components import build_components
from stnkit.experiments.run_directory import directories
from stnkit.experiments.schema import register_schema
from stnkit.plugin_system.hydra_configs import register_component_groups
from tests.helpers import ROOT, metrics

CONF = ROOT / "conf"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
OF_ADDITION = ("compact_cnn", "two_affine", "two_projective", "two_tps")
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
# As the page says.
TABLE = re.findall(r"^\| `(\w+)` \| (\d+) \|", (ROOT / "docs" / "sweeps.md").read_text(), re.MULTILINE)
RUNS = {name: int(runs) for name, runs in TABLE}
# Of these, the seeds of a job.
SEEDS = {"mnist_addition": 1, "register_digits": 1, "homography": 1}


@pytest.fixture(scope="module", autouse=True)
def _hydra():
    register_schema()
    register_component_groups()
    directories.register_resolvers()
    with initialize_config_module("stnkit.conf", version_base="1.3"):
        yield


def composed(*overrides):
    plain = OmegaConf.to_container(compose("train", list(overrides)), resolve=True, enum_to_str=True)
    return plain, directories.typed_training(plain["training"])


def jobs_of(experiment):
    params = compose("train", [f"experiment={experiment}"], return_hydra_config=True).hydra.sweeper.params
    # Without a sweep of its own it is a single run.
    return split_into_jobs([f"{key}={value}" for key, value in (params or {}).items()])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.slow
def test_every_job_of_an_experiment_can_be_built(experiment):
    jobs = jobs_of(experiment)
    assert len(jobs) == RUNS[experiment]
    assert len({tuple(job) for job in jobs}) == len(jobs)
    built = set()
    for job in jobs:
        if "seed=0" in job or SEEDS.get(experiment) == 1:
            plain, training = composed(f"experiment={experiment}", *job)
            components = build_components(plain, training)
            built.add(str(OmegaConf.create({key: value for key, value in plain.items() if key != "seed"})))
            assert sum(p.numel() for p in components.network.parameters()) > 0
    # The seeds aside, no two jobs are the same.
    assert SEEDS.get(experiment, 3) * len(built) == len(jobs)


@pytest.mark.parametrize("model", [model for model in MODELS if model not in OF_ADDITION])
@pytest.mark.parametrize(("distortion", "side"), [("rotation", 28), ("rts", 42), ("translated_cluttered", 60)])
def test_a_preset_is_the_model_of_its_name(model, distortion, side):
    plain, training = composed(f"model={model}", f"distortion={distortion}")
    network = build_components(plain, training).network
    transformer, paper = network.transformer, model.startswith("paper_")
    assert training.optimizer == ("sgd" if paper else "adamw")
    assert plain["network"]["name"] == ("paper_fcn" if "fcn" in model else "paper_cnn" if paper else "compact_cnn")
    if "st_" not in model:
        assert transformer is None
        return
    family = model.split("_")[-1]
    assert plain["transform"]["name"] == family
    if family in ("affine", "projective", "tps"):
        assert transformer.family.n_params == {"affine": 6, "projective": 8, "tps": 32}[family]
    linear = [tuple(p.shape) for p in transformer.localizer.parameters() if p.ndim == 2]
    convolutions = [tuple(p.shape) for p in transformer.localizer.parameters() if p.ndim == 4]
    if "fcn" in model:
        assert linear == [(32, side * side), (32, 32), (32, 32)]
        assert convolutions == []
    elif paper:
        assert convolutions == [(20, 1, 5, 5), (20, 20, 5, 5)]
        left = ((side // 2 - 4) // 2) - 4
        assert linear == [(20, 20 * left * left)]


@pytest.mark.slow
@pytest.mark.parametrize("model", OF_ADDITION)
def test_a_preset_of_addition_has_two_transformers_or_none(model):
    plain, training = composed(f"model={model}", "dataset=addition", "distortion=independent_channels")
    network = build_components(plain, training).network
    assert plain["network"]["name"] == "compact_cnn"
    families = [transformer.family.n_params for transformer in network.transformers().values()]
    wanted = {"two_affine": 6, "two_projective": 8, "two_tps": 32}
    assert families == ([wanted[model]] * 2 if model in wanted else [])


def test_groups_and_options_take_precedence_over_a_preset():
    plain, _ = composed("model=st_cnn_tps", "transform=affine", "localizer.features=7", "network.average_pool=1")
    assert plain["transform"]["name"] == "affine"
    assert plain["localizer"]["features"] == 7
    assert plain["network"]["average_pool"] == 1
    plain, _ = composed("experiment=paper_table1", "training=default", "training.epochs=3", "dataset=digits")
    assert plain["dataset"]["name"] == "digits"
    assert (plain["training"]["epochs"], plain["training"]["optimizer"]) == (3, "adamw")


@pytest.mark.slow
@pytest.mark.training
def test_an_experiment_is_one_command(stnkit_main, tmp_path):
    code, out, err = stnkit_main(
        *("train", "-m", "+experiment=rotation_ablation", "training.epochs=1", "training.progress=false"),
        # Smaller in every respect, so that it takes seconds.
        *("seed=0", "model=cnn,st_cnn_rotation,st_cnn_tps", "network.channels=[2,2,2,2]", "training.batch_size=400"),
        "hydra.sweep.dir=sweep",
    )
    assert code == 0, err
    assert "3 jobs" in out
    told = [metrics(tmp_path / "sweep" / name) for name in "012"]
    assert all(m["status"] == "completed" for m in told)
    assert [m["config"]["transform"]["name"] for m in told[1:]] == ["rotation", "tps"]
    assert [m["config"]["placement"]["at"] for m in told] == [[], ["input"], ["input"]]
    assert {m["config"]["distortion"]["name"] for m in told} == {"rotation"}


def test_a_preset_is_understood_with_a_plus_too(stnkit_main):
    code, out, err = stnkit_main("train", "+model=fcn", "--cfg", "job")
    assert code == 0, err
    assert "paper_fcn" in out
