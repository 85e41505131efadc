import multiprocessing

import pytest
import torch

from stnkit.experiments.loop.checkpoint_io import AtomicCheckpointIO


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
