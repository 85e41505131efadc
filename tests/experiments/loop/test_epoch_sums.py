import pytest
import torch

import stnkit
from stnkit.experiments.loop.epoch_sums import EpochSums


def add(sums, loss, errors, **means):
    means = {name: torch.tensor(value) for name, value in means.items()}
    sums.add(len(errors), {"loss": torch.tensor(loss), **means}, {"error": torch.tensor(errors)})


@pytest.fixture
def sums():
    """Two batches, of 3 images and of 1."""
    sums = EpochSums(("loss", "error", "outside", "equivariance"))
    add(sums, 2.0, [100.0, 0.0, 0.0], outside=0.5, equivariance=1.0)
    add(sums, 6.0, [100.0], outside=0.1, equivariance=5.0)
    return sums


def test_figures_are_means_over_images_and_not_over_batches(sums):
    assert sums.compute() == pytest.approx({"loss": 3.0, "error": 50.0, "outside": 0.4, "equivariance": 2.0})
    assert list(sums.compute()) == ["loss", "error", "outside", "equivariance"]


def test_losses_are_means_by_the_weights_of_their_images():
    sums = EpochSums(("loss", "error", "outside"), weighted=("loss",))
    errors = torch.tensor([100.0, 0.0, 0.0])
    sums.add(3, {"loss": torch.tensor(2.0), "outside": torch.tensor(0.5)}, {"error": errors}, torch.tensor(1.0))
    # Its weights are those of a class without any, so that its loss is 0.
    sums.add(3, {"loss": torch.tensor(0.0), "outside": torch.tensor(0.5)}, {"error": errors}, torch.tensor(0.0))
    sums.add(1, {"loss": torch.tensor(6.0), "outside": torch.tensor(0.1)}, {"error": errors[:1]}, torch.tensor(3.0))
    expected = {"loss": (1 * 2 + 3 * 6) / 4, "error": 300 / 7, "outside": (6 * 0.5 + 0.1) / 7}
    assert sums.compute() == pytest.approx(expected)
    assert sums.reduced(lambda values: 2 * values).compute() == pytest.approx(expected)
    resumed = EpochSums(sums.names, sums.weighted)
    resumed.load_state(sums.state())
    assert resumed.compute() == sums.compute()


def test_a_loss_without_any_weight_is_0_unless_it_is_nan():
    for loss in (0.0, torch.nan):
        sums = EpochSums(("loss",), weighted=("loss",))
        sums.add(3, {"loss": torch.tensor(loss)}, {}, torch.tensor(0.0))
        assert sums.compute()["loss"] == pytest.approx(loss, nan_ok=True)


def test_sums_of_a_version_without_weights_are_those_of_images(sums):
    state = {name: value for name, value in sums.state().items() if name != "total weight"}
    resumed = EpochSums(sums.names, weighted=("loss",))
    resumed.load_state(state)
    assert resumed.compute() == sums.compute()


def test_a_figure_of_some_images_stands_for_the_batch():
    sums = EpochSums(("loss", "iou"))
    sums.add(4, {"loss": torch.tensor(1.0)}, {"iou": torch.tensor([0.2, 0.4])})
    sums.add(2, {"loss": torch.tensor(1.0)}, {"iou": torch.tensor([True, False])})
    assert sums.compute()["iou"] == pytest.approx((4 * 0.3 + 2 * 0.5) / 6)


def test_sums_start_again_after_a_reset(sums):
    sums.reset()
    add(sums, 1.0, [100.0, 100.0], outside=0.0, equivariance=0.0)
    assert sums.compute() == {"loss": 1.0, "error": 100.0, "outside": 0.0, "equivariance": 0.0}


def test_reduced_sums_are_those_of_all_processes_in_a_new_object(sums):
    before = {name: value.clone() for name, value in sums.state().items()}
    total = sums.reduced(lambda values: values.mul_(2))
    assert total.compute() == sums.compute()
    assert sums.state() == before
    assert total.state() == {name: 2 * value for name, value in before.items()}


def test_sums_of_a_checkpoint_of_the_first_version_are_read():
    # loss, errors, outside, theta_distance, images, then the auxiliary losses.
    sums = EpochSums(("loss", "error", "theta_distance", "equivariance"))
    sums.load_state(torch.tensor([12.0, 2, 1.6, 0.4, 4, 8], dtype=torch.float64))
    assert sums.compute() == pytest.approx({"loss": 3.0, "error": 50.0, "theta_distance": 0.1, "equivariance": 2.0})


def test_sums_continue_from_a_checkpoint(sums):
    resumed = EpochSums(sums.names)
    resumed.load_state(sums.state())
    add(resumed, 1.0, [0.0] * 4, outside=0.0, equivariance=0.0)
    assert resumed.compute() == pytest.approx({"loss": 2.0, "error": 25.0, "outside": 0.2, "equivariance": 1.0})
    assert sums.compute()["loss"] == 3.0


@pytest.mark.parametrize(
    ("before", "now"), [(("loss",), ("loss", "equivariance")), (("loss", "supervision"), ("loss",))]
)
def test_sums_of_other_losses_are_refused(before, now):
    (other,) = {*before} ^ {*now}
    with pytest.raises(
        stnkit.errors.CheckpointError, match=f"got one that differs in {other}: the run is of a version"
    ):
        EpochSums(now).load_state(EpochSums(before).state())


def test_sums_of_inference_mode_can_be_continued_outside(sums):
    with torch.inference_mode():
        sums.reset()
        add(sums, 1.0, [0.0], outside=0.0, equivariance=0.0)
    add(sums, 3.0, [0.0], outside=0.0, equivariance=0.0)
    assert sums.compute()["loss"] == 2.0
