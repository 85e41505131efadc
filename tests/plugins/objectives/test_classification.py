import numpy as np
import pytest
import scipy.special
import torch

import stnkit
from stnkit.objectives import Batch


def batch(logits, labels):
    images = torch.zeros(len(labels), 1, 4, 4)
    return Batch(images, labels, None, None, images, logits, torch.nn.Identity(), torch.Generator())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5]])
def test_the_loss_is_a_weighted_mean_of_log_softmax(smoothing, weights):
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(7, 3, generator=generator), torch.randint(3, (7,), generator=generator)
    objective = stnkit.build(
        "objective", "classification", n_classes=3, label_smoothing=smoothing, class_weights=weights
    )
    found = objective.losses(batch(logits, labels))["loss"].item()
    targets = (1 - smoothing) * np.eye(3)[labels.numpy()] + smoothing / 3
    weight = (np.ones(3) if weights is None else np.array(weights))[labels.numpy()]
    losses = -(targets * scipy.special.log_softmax(logits.double().numpy(), axis=1)).sum(axis=1)
    assert found == pytest.approx((weight * losses).sum() / weight.sum(), rel=1e-5)
    total = objective.total_weight(batch(logits, labels))
    assert total is None if weights is None else total.item() == weight.sum()


def test_an_image_without_weight_is_not_trained_on():
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.3]], requires_grad=True)
    options = {"n_classes": 2, "class_weights": [1.0, 0.0], "label_smoothing": 0.1}
    loss = stnkit.build("objective", "classification", **options).losses(batch(logits, torch.tensor([0, 1])))["loss"]
    # 0.95 · ln(1 + e⁻³) + 0.05 · ln(1 + e³), by hand.
    assert loss.item() == pytest.approx(0.198587, abs=1e-6)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[0].all()
    assert not gradient[1].any()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_batch_of_classes_without_weight_has_no_loss(smoothing):
    logits = torch.randn(2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    options = {"n_classes": 2, "class_weights": [1.0, 0.0], "label_smoothing": smoothing}
    loss = stnkit.build("objective", "classification", **options).losses(batch(logits, torch.tensor([1, 1])))["loss"]
    assert loss.item() == 0
    assert torch.autograd.grad(loss, logits)[0].abs().max() == 0


def test_the_error_is_0_or_100_for_each_image():
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    objective = stnkit.build("objective", "classification", n_classes=2)
    assert objective.measure(batch(logits, torch.tensor([0, 0, 0])))["error"].tolist() == [0.0, 100.0, 0.0]


def test_half_precision_logits_are_widened():
    logits = torch.tensor([[1000.0, 0.0]], dtype=torch.float16)
    objective = stnkit.build("objective", "classification", n_classes=2)
    loss = objective.losses(batch(logits, torch.tensor([1])))["loss"]
    assert loss.dtype == torch.float32
    assert loss.item() == 1000.0


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    "options",
    [
        *({"label_smoothing": 1.0}, {"label_smoothing": -0.1}, {"label_smoothing": float("nan")}),
        *({"class_weights": weights} for weights in ([1.0], [0, 0], [1.0, -0.1])),
        *({"class_weights": [1.0, float(weight)]} for weight in ("nan", "inf")),
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(stnkit.errors.InputError, match="expected a number"):
        stnkit.build("objective", "classification", n_classes=2, **options)
