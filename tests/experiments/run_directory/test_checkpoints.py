import pytest
import torch

import stnkit
from stnkit.experiments.run_directory.checkpoints import verify_checkpoint


@pytest.mark.parametrize("length", [0, 10, 400])
def test_a_checkpoint_cut_short_is_refused(tmp_path, length):
    path = tmp_path / "last.ckpt"
    torch.save({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(stnkit.errors.CheckpointError, match=r"is cut short or damaged|holds more than"):
        verify_checkpoint(path)


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_a_checkpoint_with_code_is_refused_and_not_executed(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"weight": Evil()}, path)
    with pytest.raises(stnkit.errors.CheckpointError, match="code is not loaded"):
        verify_checkpoint(path)


def test_a_missing_checkpoint_says_so(tmp_path):
    with pytest.raises(stnkit.errors.CheckpointError, match="there is no checkpoint"):
        verify_checkpoint(tmp_path / "last.ckpt")
