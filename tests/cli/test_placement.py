"""Several transformers from the command line: they train, are resumed, and what cannot be is one sentence."""

import signal

import pytest
import torch

from tests.cli.test_interruptions import SIGNALLING
from tests.helpers import QUICK, metrics

# In front of the network, and of what comes after its average-pool.
SEVERAL = [*QUICK, "placement=layers", "placement.at=[input,layers.1]", "+placement.parts.input.parallel=2"]


@pytest.mark.training
def test_several_transformers_train_and_are_drawn_in_one_picture(stnkit_main, tmp_path):
    code, out, err = stnkit_main(
        "train", *SEVERAL, "placement.recurrent=2", "+placement.parts.layers.1.transform=rotation", "hydra.run.dir=run"
    )
    assert code == 2  # a dotted name is a path for Hydra
    code, out, err = stnkit_main(
        "train",
        *SEVERAL[:-1],
        "placement.recurrent=2",
        "+placement.parts={input:{parallel:2},layers.1:{transform:rotation}}",
        "hydra.run.dir=run",
    )
    assert code == 0, err
    told = metrics("run")
    assert told["history"][1]["train_loss"] < told["history"][0]["train_loss"]
    assert told["history"][1]["validation_theta_distance"] > 0
    assert str(tmp_path / "run" / "transformer.png") in out
    names = torch.load("run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    heads = sorted(name.removeprefix("network.") for name in names if name.endswith("head.offset"))
    assert heads == [
        "network.layers.1.spatial_transformer.head.offset",
        "transformer.transformers.0.head.offset",
        "transformer.transformers.1.head.offset",
    ]
    assert names["network.network.layers.1.spatial_transformer.head.offset"].shape == (1,)


@pytest.mark.slow
def test_a_killed_run_of_several_transformers_is_resumed(stnkit_process, tmp_path):
    run = [*SEVERAL, "placement.recurrent=2", "training.epochs=2", "training.checkpoint_every=3"]
    for arguments, code, exit_code in (
        (["train", *run, "hydra.run.dir=whole"], {}, 0),
        ([7, int(signal.SIGKILL), "train", *run, "hydra.run.dir=run"], {"code": SIGNALLING}, -signal.SIGKILL),
        (["train", "resume=run"], {}, 0),
    ):
        process = stnkit_process(*arguments, **code)
        _, err = process.communicate(timeout=120)
        assert process.returncode == exit_code, err
    assert metrics(tmp_path / "run")["history"] == metrics(tmp_path / "whole")["history"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["placement=layers"], "placement.at must be given, as in placement.at=VALUE"),
        (
            ["placement=layers", "placement.at=[conv9]"],
            "there is no insertion point 'conv9' in the network; the insertion points are: input",
        ),
        (
            ["placement.recurrent=2", "transform=tps"],
            "insertion point 'input': a recurrent transformer needs a family that composes",
        ),
        (["placement.parts={input:{transform:tps}}"], "there is no placement.parts.input yet: write +placement.parts"),
        (["+placement.parts={conv2:{transform:tps}}"], "insertion points of placement.at, ['input'], got 'conv2'"),
        (["+placement.parts.input=affine"], "placement.parts.input: expected a mapping of options, such as {transform"),
        (["placement=none", "placement.parallel=2"], "placement.parallel: expected 1 for a network without transf"),
        (["placement=none", "placement.recurrent=3"], "placement.recurrent: expected 1 for a network without trans"),
        (["placement.parallel=many"], "could not be converted to Integer"),
        (["out_size=[90000,90000]"], "out_size: expected a batch of 256 to fit into"),
        (["out_size=[99999999999999999999,99]"], "out_size: expected a batch of 256 to fit into"),
    ],
)
def test_an_invalid_placement_is_one_sentence_and_exit_code_2(overrides, message, stnkit_main):
    code, _, err = stnkit_main("train", *QUICK, *overrides)
    assert code == 2
    (line,) = [line for line in err.splitlines() if line and not line.startswith("[")]
    assert line.startswith("stnkit train: ")
    assert message in line


def test_exhausted_memory_is_one_sentence_and_in_the_record(stnkit_main, monkeypatch):
    from stnkit.experiments.loop import components

    def exhausted(*args, **kwargs):
        raise RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 99920016000 bytes.\nframe"
        )

    monkeypatch.setattr(components, "build_network", exhausted)
    code, _, err = stnkit_main("train", *QUICK, "hydra.run.dir=run")
    assert code == 2
    assert "the run does not fit into memory: it asked for 99920016000 bytes at once" in err
    assert "Traceback" not in err
    assert metrics("run")["status"] == "failed"
    assert "does not fit into memory" in metrics("run")["error"]
