"""A run of which parts start from parts of the network of another one."""

import hashlib
import math
from pathlib import Path

import pytest
import torch

import stnkit
from stnkit.experiments.loop.initial_weights import load_initial_weights
from stnkit.experiments.placement import build_network
from stnkit.experiments.run_directory.job_identity import identity_of
from tests.helpers import COMPONENTS, QUICK, metrics

# Nothing is learned, so that the weights are those of the start.
FROZEN = [*QUICK, "training.epochs=1", "training.schedule=constant", "training.learning_rate=0", "seed=7"]


def weights(run, part):
    state = stnkit.load_run(run).network.state_dict()
    return {name.removeprefix(part): value for name, value in state.items() if name.startswith(f"{part}.")}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.training
def test_a_transformer_is_put_in_front_of_a_trained_network(stnkit_main):
    code, _, err = stnkit_main("train", *QUICK, "placement=none", "hydra.run.dir=alone")
    assert code == 0, err
    new = ["transform=attention", "transform_init={zoom:2}"]
    start = ["init_from=alone", "init_parts={network:network}"]
    code, _, err = stnkit_main("train", *FROZEN, *new, *start, "hydra.run.dir=behind")
    assert code == 0, err
    assert equal(weights("behind", "network"), weights("alone", "network"))
    head = stnkit.load_run("behind").network.transformer.head
    torch.testing.assert_close(head.offset, torch.tensor([math.log(0.5), 0, 0]))
    told = metrics("behind")["init_from"]
    assert told["parts"] == {"network": "network"}
    assert told["sha256"] == hashlib.sha256(Path("alone/checkpoints/last.ckpt").read_bytes()).hexdigest()


@pytest.mark.training
def test_a_localizer_starts_from_a_classifier(stnkit_main):
    net = ["network=compact_cnn", "network.channels=[4,4,4,8]"]
    small = ["training.epochs=1", "training.batch_size=256", "distortion=none"]
    assert stnkit_main("train", *small, *net, "placement=none", "hydra.run.dir=alone")[0] == 0
    backbone = ["localizer=backbone", "localizer.network={name:compact_cnn,channels:[4,4,4,8]}"]
    start = ["init_from=alone", "init_parts={transformer.localizer.network:network}"]
    frozen = ["localizer.frozen=true", "hydra.run.dir=behind"]
    code, _, err = stnkit_main("train", *small, *net, *backbone, *start, *frozen)
    assert code == 0, err
    own, theirs = weights("behind", "transformer.localizer.network"), weights("alone", "network")
    assert own
    assert equal(own, {name: theirs[name] for name in own})
    assert not equal(weights("behind", "network"), theirs)


@pytest.mark.parametrize("dry", ["true", "false"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["init_parts={network:network}"], "init_parts: expected null without init_from, got {"),
        (
            ["init_from=RUN", "init_parts={}"],
            "init_parts: expected parts of this network by those of the other one, such",
        ),
        (["init_from=RUN", "init_parts=[network]"], "such as {network:network}, got ['network']"),
        (["init_from=RUN", "init_parts={network:3}"], "such as {network:network}, got {'network': 3}"),
        (
            ["init_from=RUN", "init_parts={classifier:network}"],
            "init_parts: expected a part of this network, such as transformer, network, got 'classifier'",
        ),
        (
            ["init_from=RUN", "init_parts={network:netwrk}"],
            "init_parts: expected a part of the network of that run, such as transformer, network, got 'netwrk'",
        ),
        (
            ["init_from=RUN", "init_parts={network:transformer.localizer}"],
            "expected transformer.localizer with all weights of network, got none for network.layers.",
        ),
        (
            ["init_from=RUN", "init_parts={network:network}", "network.hidden=[8]"],
            "expected network with the weights of network, got network.layers.2.weight of shape [16, 441] instead of ",
        ),
        (
            ["init_from=RUN", "init_parts={transformer:transformer}", "transform_init={zoom:2}"],
            "transform_init: expected null with the weights of transformer, which include θ, got {'zoom': 2}",
        ),
    ],
)
def test_parts_that_do_not_fit_are_named(options, message, dry, quick_run, stnkit_main):
    given = [option.replace("RUN", str(quick_run)) for option in options]
    code, _, err = stnkit_main("train", *QUICK, *given, f"dry_run={dry}", "hydra.run.dir=run")
    assert code == 2
    (line,) = err.splitlines()
    assert message in line


def test_the_start_of_another_transformer_is_its_own(tmp_path):
    parts = {"layers.3": {"transform_init": {"zoom": 2}}}
    config = COMPONENTS | {"network": "compact_cnn", "placement": {"parts": parts}}
    network = build_network(config, ["input", "layers.3"], (1, 28, 28), 10, parts=parts)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    (tmp_path / "checkpoints").mkdir()
    torch.save({"state_dict": state}, tmp_path / "checkpoints" / "last.ckpt")
    (tmp_path / "metrics.json").write_text("{}")
    load_initial_weights(network, str(tmp_path), config | {"init_parts": {"transformer": "transformer"}})
    with pytest.raises(stnkit.errors.InputError, match=r"expected null with the weights of network, which include θ"):
        load_initial_weights(network, str(tmp_path), config | {"init_parts": {"network": "network"}})


def test_parts_are_a_part_of_what_a_job_is():
    config = {"seed": 0, "init_from": "a"}
    assert identity_of(config | {"init_parts": None}) == identity_of(config)
    assert identity_of(config | {"init_parts": {"network": "network"}}) != identity_of(config)
