import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

import stnkit
from stnkit.objectives import Batch, Setting


def sequence(**options):
    return stnkit.build("objective", "sequence", **({"n_classes": 3} | options))


def batch_of(output, targets):
    images = torch.zeros(len(targets), 1, 4, 4)
    return Batch(images, targets, None, None, images, output, nn.Identity(), torch.Generator())


@pytest.fixture
def batch():
    """Seven sequences of up to four digits of three classes, 3 for no digit, and random logits."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([0, 1, 2, 3, 4, 2, 4])
    digits = torch.randint(3, (7, 4), generator=generator)
    targets = torch.where(torch.arange(4) < lengths[:, None], digits, 3)
    return batch_of(torch.randn(7, 16, generator=generator), targets)


def outputs(sequences, n=4):
    """Logits whose largest are those of the given sequences."""
    return 5.0 * nn.functional.one_hot(torch.tensor(sequences), n).flatten(1).float()


def test_the_loss_is_the_cross_entropy_of_all_positions(batch):
    expected = []
    for row, target in zip(batch.output.double().numpy(), batch.targets.numpy(), strict=True):
        expected.append(-sum(log_softmax(row[4 * k : 4 * k + 4])[target[k]] for k in range(4)))
    loss = sequence().losses(batch)["loss"]
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-6)


def test_equal_logits_cost_log_of_the_outputs_a_position(batch):
    equal = dataclasses.replace(batch, output=torch.zeros(7, 16))
    assert float(sequence().losses(equal)["loss"]) == pytest.approx(4 * math.log(4), rel=1e-6)


def test_label_smoothing_mixes_in_the_mean_of_all_outputs(batch):
    logs = log_softmax(batch.output.double().numpy().reshape(7, 4, 4), axis=-1)
    plain = float(sequence().losses(batch)["loss"])
    expected = 0.8 * plain + 0.2 * -logs.mean(axis=-1).sum(axis=-1).mean()
    assert float(sequence(label_smoothing=0.2).losses(batch)["loss"]) == pytest.approx(expected, rel=1e-6)


def test_the_gradient_is_softmax_minus_target(batch):
    output = batch.output.clone().requires_grad_()
    sequence().losses(dataclasses.replace(batch, output=output))["loss"].backward()
    expected = torch.softmax(batch.output.view(7, 4, 4), dim=-1) - nn.functional.one_hot(batch.targets, 4)
    torch.testing.assert_close(output.grad.view(7, 4, 4), expected / 7)


def test_figures_count_wrong_sequences_and_digits():
    targets = torch.tensor([[0, 1, 2, 3], [0, 1, 3, 3], [0, 1, 3, 3], [2, 3, 3, 3], [3, 3, 3, 3], [3, 3, 3, 3]])
    given = [[0, 1, 2, 3], [0, 2, 3, 3], [0, 1, 1, 1], [3, 3, 3, 3], [3, 3, 3, 3], [1, 3, 3, 3]]
    figures = sequence().measure(batch_of(outputs(given), targets))
    assert list(figures) == list(sequence().figures)
    assert figures["sequence_error"].tolist() == [0, 100, 100, 100, 0, 100]
    # Of 3, 2, 4, 1, 0 and 1 positions with a digit or a reading of one.
    assert figures["digit_error"].tolist() == [0, 50, 50, 100, 0, 100]


def test_figures_are_those_of_a_count_by_hand(batch):
    figures = sequence().measure(batch)
    for i, (row, target) in enumerate(zip(batch.output.view(7, 4, 4).tolist(), batch.targets.tolist(), strict=True)):
        given = [max(range(4), key=position.__getitem__) for position in row]
        counted = [(a, b) for a, b in zip(given, target, strict=True) if a != 3 or b != 3]
        wrong = sum(a != b for a, b in counted)
        assert float(figures["sequence_error"][i]) == 100 * (given != target)
        assert float(figures["digit_error"][i]) == pytest.approx(100 * wrong / max(1, len(counted)))


def test_labels_are_sequences_of_one_digit():
    generator = torch.Generator().manual_seed(1)
    labels, output = torch.randint(3, (9,), generator=generator), torch.randn(9, 4, generator=generator)
    classification = stnkit.build("objective", "classification", n_classes=4)
    one, other = batch_of(output, labels), batch_of(output, labels[:, None])
    for each in (one, other):
        torch.testing.assert_close(sequence().losses(each), dict(classification.losses(one)))
        assert torch.equal(sequence().measure(each)["sequence_error"], classification.measure(one)["error"])


def test_logits_in_bfloat16_have_a_loss_in_float32(batch):
    half = dataclasses.replace(batch, output=batch.output.bfloat16())
    exact = dataclasses.replace(batch, output=batch.output.bfloat16().float())
    assert sequence().losses(half)["loss"].dtype == torch.float32
    torch.testing.assert_close(sequence().losses(half), sequence().losses(exact))


class Given(stnkit.Dataset):
    image_shape = (1, 4, 4)

    def __init__(self, n_classes, target_shape):
        self.n_classes, self.target_shape = n_classes, target_shape

    def split(self, name):
        raise AssertionError("no data is needed")


def test_outputs_are_the_positions_times_one_more_class():
    assert sequence().n_outputs(Given(10, (5,))) == 55
    assert sequence().n_outputs(Given(3, (1,))) == 4
    assert sequence().n_outputs(Given(3, ())) == 4
    assert sequence().n_outputs(stnkit.build("dataset", "svhn")) == 11


@pytest.mark.parametrize(
    ("n_classes", "shape", "message"),
    [
        (10, None, r"expected a dataset with targets of shape \(N, positions\) or \(N,\), got Given .*shape None"),
        (10, (5, 2), r"expected a dataset with targets .*, got Given with target_shape \(5, 2\)"),
        (0, (5,), "expected a dataset with at least one class, got Given with n_classes 0"),
    ],
)
def test_a_dataset_of_no_sequences_is_refused(n_classes, shape, message):
    dataset = Given(n_classes, shape)
    distortion = stnkit.build("distortion", "none", image_shape=(1, 4, 4))
    with pytest.raises(stnkit.errors.InputError, match=message):
        sequence().n_outputs(dataset)
    with pytest.raises(stnkit.errors.InputError, match=message):
        sequence().prepare(Setting(dataset, distortion, (1, 4, 4), None))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.zeros(2, 4), r"expected targets that are whole numbers .*, got torch.float32 of shape \(2, 4\)"),
        (torch.zeros(2, 4, 1, dtype=torch.int64), r"got torch.int64 of shape \(2, 4, 1\)"),
        (torch.zeros(2, 4, dtype=torch.bool), r"got torch.bool of shape \(2, 4\)"),
        (torch.tensor([[0, 4]]), "expected targets from 0 to 3, which is no digit, got 0 to 4"),
        (torch.tensor([[-1, 3]]), "expected targets from 0 to 3, which is no digit, got -1 to 3"),
    ],
)
def test_targets_of_another_kind_are_refused(targets, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        sequence().check_targets(targets)


def test_targets_of_sequences_are_accepted():
    for targets in (torch.tensor([[0, 3], [2, 1]]), torch.tensor([0, 2]), torch.tensor([[0, 3]], dtype=torch.uint8)):
        sequence().check_targets(targets)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_label_smoothing_out_of_range_is_refused(value):
    with pytest.raises(stnkit.errors.InputError, match="label_smoothing: expected a number from 0 to below 1, got"):
        sequence(label_smoothing=value)
