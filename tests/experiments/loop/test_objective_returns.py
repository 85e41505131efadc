"""Returns of an objective are checked: one sentence names the method and what is wrong."""

import pytest
import torch

import stnkit
from stnkit.errors import InputError
from stnkit.experiments.loop.objective_returns import (
    check_attributes,
    checked_figures,
    checked_losses,
    checked_outputs,
    checked_total_weight,
)
from stnkit.objectives import Figure


class Returning(stnkit.Objective):
    figures = {"error": Figure("%")}  # noqa: RUF012
    terms = ("loss", "price")

    def losses(self, batch):
        raise AssertionError("not called")

    def measure(self, batch):
        raise AssertionError("not called")


def losses(**changed):
    return {"loss": torch.tensor(1.0, requires_grad=True), "price": torch.tensor(2.0)} | changed


@pytest.mark.parametrize("outputs", [0, -1, 2.5, "10", (2, 3), True])
def test_a_number_of_outputs_is_a_whole_one(outputs):
    message = f"Returning.n_outputs: expected a whole number of at least 1, or None, got {outputs!r}"
    with pytest.raises(InputError) as raised:
        checked_outputs(Returning(), outputs)
    assert str(raised.value) == message


def test_fitting_returns_are_handed_on():
    objective = Returning()
    assert checked_outputs(objective, 10) == 10
    assert checked_outputs(objective, None) is None
    returned, error = losses(), torch.tensor([True, False])
    assert checked_losses(objective, returned, training=True) == returned
    assert checked_figures(objective, {"error": error}, 4, 2)["error"] is error
    with torch.no_grad():
        assert checked_losses(objective, losses(loss=torch.tensor(1.0)), training=True)
    check_attributes(objective)


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (None, "the terms ['loss', 'price'], got NoneType"),
        (torch.tensor(1.0), "the terms ['loss', 'price'], got torch.float32 of shape []"),
        ({"los": torch.tensor(1.0)}, "the terms ['loss', 'price'], got ['los']"),
        (losses(price=0.5), "price: expected a floating-point tensor of shape [], got float"),
        (
            losses(loss=torch.ones(3)),
            "loss: expected a floating-point tensor of shape [], got torch.float32 of shape [3]",
        ),
        (
            losses(loss=torch.ones(1)),
            "loss: expected a floating-point tensor of shape [], got torch.float32 of shape [1]",
        ),
        (
            losses(loss=torch.tensor(3)),
            "loss: expected a floating-point tensor of shape [], got torch.int64 of shape []",
        ),
        (losses(loss=torch.tensor(1.0)), "expected at least one of ['loss', 'price'] with a gradient, got none"),
    ],
)
def test_losses_that_are_no_numbers_are_one_sentence(returned, got):
    with pytest.raises(InputError) as raised:
        checked_losses(Returning(), returned, training=True)
    assert str(raised.value).startswith("Returning.losses: ")
    assert str(raised.value).endswith(got)


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (3, "int"),
        (torch.ones(2), "torch.float32 of shape [2]"),
        (torch.tensor(3), "torch.int64 of shape []"),
    ],
)
def test_a_total_weight_that_is_no_number_is_one_sentence(returned, got):
    message = f"Returning.total_weight: expected a floating-point tensor of shape [], or None, got {got}"
    with pytest.raises(InputError) as raised:
        checked_total_weight(Returning(), returned)
    assert str(raised.value) == message
    for fitting in (None, torch.tensor(2.0)):
        assert checked_total_weight(Returning(), fitting) is fitting


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (None, "the figures ['error'], got NoneType"),
        (torch.ones(2), "the figures ['error'], got torch.float32 of shape [2]"),
        ({"err": torch.ones(2)}, "the figures ['error'], got ['err']"),
        ({"error": 3.0}, "each of 2 images, got float"),
        ({"error": [1.0, 2.0]}, "each of 2 images, got list"),
        ({"error": torch.ones(())}, "each of 2 images, got torch.float32 of shape []"),
        ({"error": torch.ones(3)}, "each of 2 images, got torch.float32 of shape [3]"),
        ({"error": 1j * torch.ones(2)}, "each of 2 images, got torch.complex64 of shape [2]"),
    ],
)
def test_figures_that_are_not_one_an_image_are_one_sentence(returned, got):
    with pytest.raises(InputError) as raised:
        checked_figures(Returning(), returned, 2)
    assert str(raised.value).startswith("Returning.measure: ")
    assert str(raised.value).endswith(got)


@pytest.mark.parametrize(
    ("name", "value"), [("figures", {}), ("figures", {"loss": Figure()}), ("terms", ()), ("terms", "loss")]
)
def test_prepare_may_not_leave_bad_figures_or_terms(name, value):
    objective = Returning()
    setattr(objective, name, value)
    with pytest.raises(InputError, match=rf"^Returning\.{name}: expected .*, got "):
        check_attributes(objective)
