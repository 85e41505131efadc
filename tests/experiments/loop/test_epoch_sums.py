import pytest
import torch

from stnkit.experiments.loop.epoch_sums import EpochSums


def add(sums, n, loss, errors, **means):
    means = {name: torch.tensor(value) for name, value in means.items()}
    sums.add(n, loss=torch.tensor(loss), errors=torch.tensor(errors), **means)


@pytest.fixture
def sums():
    """Two batches, of 3 images and of 1."""
    sums = EpochSums(("outside", "equivariance"))
    add(sums, 3, 2.0, 1, outside=0.5, equivariance=1.0)
    add(sums, 1, 6.0, 1, outside=0.1, equivariance=5.0)
    return sums


def test_figures_are_means_over_images_and_not_over_batches(sums):
    assert sums.compute() == pytest.approx({"loss": 3.0, "error": 50.0, "outside": 0.4, "equivariance": 2.0})
    assert list(sums.compute()) == ["loss", "error", "outside", "equivariance"]


def test_sums_start_again_after_a_reset(sums):
    sums.reset()
    add(sums, 2, 1.0, 2, outside=0.0, equivariance=0.0)
    assert sums.compute() == {"loss": 1.0, "error": 100.0, "outside": 0.0, "equivariance": 0.0}


def test_reduced_sums_are_those_of_all_processes_in_a_new_object(sums):
    before = sums.state().clone()
    total = sums.reduced(lambda values: values.mul_(2))
    assert total.compute() == sums.compute()
    assert torch.equal(sums.state(), before)
    assert torch.equal(total.state(), 2 * before)


def test_a_checkpoint_has_the_layout_of_the_first_version(sums):
    # loss, errors, outside, theta_distance, images, then the auxiliary losses.
    assert sums.state().dtype == torch.float64
    assert sums.state().tolist() == pytest.approx([12, 2, 1.6, 0, 4, 8])


def test_sums_continue_from_a_checkpoint(sums):
    resumed = EpochSums(sums.means)
    resumed.load_state(sums.state())
    add(resumed, 4, 1.0, 0, outside=0.0, equivariance=0.0)
    assert resumed.compute() == pytest.approx({"loss": 2.0, "error": 25.0, "outside": 0.2, "equivariance": 1.0})
    assert sums.compute()["loss"] == 3.0


def test_sums_of_inference_mode_can_be_continued_outside(sums):
    with torch.inference_mode():
        sums.reset()
        add(sums, 1, 1.0, 0, outside=0.0, equivariance=0.0)
    add(sums, 1, 3.0, 0, outside=0.0, equivariance=0.0)
    assert sums.compute()["loss"] == 2.0
