"""A run that starts from the weights of another one."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch

import stnkit
from stnkit.experiments.loop.initial_objective import take_state
from stnkit.experiments.loop.initial_weights import load_initial_weights
from stnkit.experiments.placement import build_network
from stnkit.experiments.run_directory.job_identity import identity_of
from tests.helpers import AGING, COMPONENTS, QUICK, metrics

# Nothing is learned, so that the weights are those of the start.
FROZEN = [*QUICK, "training.epochs=1", "training.schedule=constant", "training.learning_rate=0", "seed=7"]


def test_a_run_starts_from_the_weights_of_another(quick_run, stnkit_main, tmp_path):
    shutil.copytree(quick_run, "other")
    code, _, err = stnkit_main("train", *FROZEN, "init_from=other", "hydra.run.dir=run")
    assert code == 0, err
    assert metrics("run")["test_loss"] == metrics(quick_run)["test_loss"]
    before, after = (stnkit.load_run(folder).network.state_dict() for folder in (quick_run, "run"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    path = Path("other/checkpoints/last.ckpt")
    assert metrics("run")["init_from"] == {
        "run": "other",
        "checkpoint": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "epoch": 1,
        "step": 10,
    }
    # Resumed, it needs the other run no more, and remembers it.
    shutil.rmtree("other")
    Path("run/metrics.json").write_text(json.dumps(metrics("run") | {"status": "running"}))
    assert stnkit_main("train", "resume=run")[0] == 0
    assert metrics("run")["init_from"]["run"] == "other"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["network.hidden=[8]"],
            "its network differs: network.hidden=[16] there, [8] here; expected the weights of the same network, "
            "got network.layers.2.weight of shape [16, 441] instead of "
            "[8, 441], ",
        ),
        (
            ["transform=rotation"],
            'its network differs: transform="affine" there, "rotation" here; expected the weights of the same network, '
            "got transformer.head.weight of shape [6, ",
        ),
        (["placement=none"], 'its network differs: placement.at=["input"] there, [] here; '),
        (["network.hidden=[16,16]"], "instead of"),
        (["out_size=[28,28]"], "its network differs: out_size=null there, [28, 28] here; "),
    ],
)
def test_weights_that_do_not_fit_are_named(options, message, quick_run, stnkit_main):
    code, _, err = stnkit_main("train", *QUICK, *options, f"init_from={quick_run}", "hydra.run.dir=run")
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith(f"stnkit train: init_from={quick_run}: ")
    assert message in line


def test_weights_that_are_missing_are_named(tmp_path):
    network = build_network(COMPONENTS, ["input"], (1, 12, 12), 10)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    state["network.extra"] = state.pop("network.transformer.head.offset")
    (tmp_path / "checkpoints").mkdir()
    torch.save({"state_dict": state}, tmp_path / "checkpoints" / "last.ckpt")
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(stnkit.errors.InputError, match=r"network, got no transformer\.head\.offset and also extra$"):
        load_initial_weights(network, str(tmp_path))


@pytest.mark.no_jaxtyping
@pytest.mark.training
def test_the_same_objective_goes_on_with_its_state(make_distribution, stnkit_main):
    make_distribution("theirs", {"their_aging": AGING}, {"objective.aging": "their_aging"})
    assert stnkit_main("train", *QUICK, "objective=aging", "hydra.run.dir=other")[0] == 0
    scale = stnkit.load_run("other").objective.scale
    assert scale != 1
    for name, options, taken in (
        ("same", ["objective=aging"], True),
        ("parts", ["objective=aging", "init_parts={network:network}"], False),
        ("another", ["objective=classification"], None),
    ):
        code, _, err = stnkit_main("train", *FROZEN, *options, "init_from=other", f"hydra.run.dir={name}")
        assert code == 0, err
        assert metrics(name)["init_from"].get("objective") is taken
        if taken is not None:
            objective = stnkit.load_run(name).objective
            assert objective.scale == (scale if taken else 1)
            assert objective.age == (15 if taken else 5)
    code, _, err = stnkit_main("train", *FROZEN, "objective=aging", "init_from=another", "hydra.run.dir=back")
    assert code == 0, err
    assert metrics("back")["init_from"]["objective"] is False


@pytest.mark.parametrize("groups", ["all", "labels"])
def test_an_objective_of_other_shapes_starts_anew(groups):
    objectives = [stnkit.build("objective", "alignment", groups=g, n_classes=3) for g in ("labels", groups)]
    objectives[0].updates += 7
    state = {f"objective.{name}": value for name, value in objectives[0].state_dict().items()}
    config = {"objective": {"name": "alignment"}}
    assert take_state(objectives[1], {"state_dict": state}, config, config) is (groups == "labels")
    assert objectives[1].updates.tolist() == ([7, 7, 7] if groups == "labels" else [0])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "init_from=nowhere: expected a run directory, got nowhere, which does not exist"),
        ("run", "init_from=run: expected another run, got the directory of this one"),
        ("damaged", "init_from=damaged: there is no checkpoint damaged/checkpoints/last.ckpt"),
    ],
)
def test_a_source_that_is_no_other_run_is_refused(source, message, copy_of_quick_run, stnkit_main):
    shutil.copytree("run", "damaged", ignore=shutil.ignore_patterns("*.ckpt"))
    before = metrics("run")
    options = ["hydra.run.dir=run", "overwrite=true"] if source == "run" else ["hydra.run.dir=new"]
    code, _, err = stnkit_main("train", *QUICK, f"init_from={source}", *options)
    assert code == 2
    assert err == f"stnkit train: {message}\n"
    assert metrics("run") == before


@pytest.mark.parametrize("config", [5, [], {"training": 5}])
def test_a_damaged_config_of_the_source_is_named(config, tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps({"config": config}))
    with pytest.raises(stnkit.errors.InputError, match=r"expected the config of a run in its metrics\.json, got "):
        load_initial_weights(torch.nn.Linear(1, 1), str(tmp_path))


def test_the_start_is_a_part_of_what_a_job_is():
    config = {"seed": 0, "training": {"epochs": 2}}
    assert identity_of(config | {"init_from": None}) == identity_of(config)
    assert len({identity_of(config | {"init_from": source}) for source in (None, "a", "b")}) == 3
