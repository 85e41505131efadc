import dataclasses
import multiprocessing
from collections import OrderedDict, defaultdict, deque
from pathlib import Path

import numpy as np
import pytest
import torch

import stnkit
from stnkit.experiments.loop.checkpoint_io import AtomicCheckpointIO
from stnkit.samplers import Padding


def _save_and_die(path):
    import os

    original = torch.save

    def half(state, target):
        original(state, target)
        target.truncate(100)
        os._exit(9)

    torch.save = half
    AtomicCheckpointIO().save_checkpoint({"weight": torch.ones(1000)}, path)


@pytest.mark.process
def test_a_process_killed_while_saving_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"weight": torch.zeros(3)}, path)
    process = multiprocessing.get_context("spawn").Process(target=_save_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert torch.equal(torch.load(path, weights_only=True)["weight"], torch.zeros(3))


def test_scalars_of_numpy_in_a_callbacks_state_can_be_loaded(tmp_path):
    """deepmd-kit 4147: they are saved as they are, and torch.load refuses them."""
    path = tmp_path / "last.ckpt"
    parameter = torch.nn.Parameter(torch.ones(2))
    states = {
        "Best": {
            "score": np.float64(0.5),
            "weight": parameter,
            "steps": [np.int64(3)],
            "at": OrderedDict(epoch=np.float32(2)),
        }
    }
    AtomicCheckpointIO().save_checkpoint({"callbacks": states}, path)
    loaded = torch.load(path, weights_only=True)["callbacks"]
    assert torch.equal(loaded["Best"].pop("weight"), parameter)
    assert loaded == {"Best": {"score": 0.5, "steps": [3], "at": OrderedDict(epoch=2.0)}}
    assert type(loaded["Best"]["steps"][0]) is int


@dataclasses.dataclass
class Plain:
    value: int = 0


@pytest.mark.parametrize("value", [deque([1]), Path("a"), Plain(), np.zeros(2), defaultdict(int), Padding.zeros])
def test_a_state_that_could_not_be_loaded_is_refused_when_saved(value, tmp_path):
    path = tmp_path / "last.ckpt"
    with pytest.raises(stnkit.errors.PluginError) as error:
        AtomicCheckpointIO().save_checkpoint({"callbacks": {"Best": {"kept": [1, value]}}}, path)
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    assert str(error.value) == (
        "the state of the callback Best cannot be resumed: expected tensors and plain values, "
        f"got {name} in state_dict()['kept'][1]"
    )
    assert not path.exists()
