"""Tensors that a component computes with and its module does not know: parameters, and constants left on the CPU."""

import pytest
import torch

import stnkit
from stnkit.testing.other_device import check_moves
from stnkit.testing.registration import check_registered
from tests.testing.broken import unregistered

pytestmark = pytest.mark.no_jaxtyping

KINDS = pytest.mark.parametrize("kind", unregistered.OF_KIND)


def failed(kind, held):
    # A class that is made in a function cannot be pickled.
    expected = {"pickled": "it is made here"}
    checked = stnkit.testing.run(unregistered.component(kind, held), expected_failures=expected)
    return {result.name: result.reason for result in checked.results if result.outcome == "failed"}


@KINDS
def test_a_parameter_in_a_list_fails_the_gradients(kind):
    found = failed(kind, unregistered.Learned)
    assert list(found) == ["gradient_to_image" if kind == "sampler" else "gradients"]
    assert next(iter(found.values())).endswith(
        "the output depends on a leaf of shape [1] that parameters() does not give"
    )


@KINDS
def test_a_constant_that_stays_on_the_cpu_fails_the_device(kind):
    found = failed(kind, unregistered.Constant)
    assert list(found) == ["dtype_and_device"]
    assert "a tensor stays on the CPU: register it by `self.register_buffer`" in found["dtype_and_device"]


@KINDS
@pytest.mark.parametrize("held", [unregistered.Moved, unregistered.Referred, unregistered.Derives])
def test_what_is_moved_or_made_in_the_call_fails_none(kind, held):
    assert failed(kind, held) == {}


def test_what_a_function_of_autograd_keeps_is_no_leaf():
    table = torch.ones(3, requires_grad=True)

    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.variable = table
            return 2 * x

        @staticmethod
        def backward(ctx, gradient):
            return 2 * gradient

    given = torch.ones(3, requires_grad=True)
    check_registered(torch.nn.Identity(), lambda: Doubled.apply(given), [given])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x + torch.tensor(2.0),
        lambda x: x[torch.tensor([0, 1])],
        lambda x: x + torch.ones(3).to(x),
        lambda x: x.new_tensor([1.0, 2.0, 3.0]) * x,
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x.cpu() + torch.ones(3),
        lambda x: x.clone().copy_(torch.ones(3)),
        lambda x: torch.nn.functional.interpolate(x.view(1, 1, 3), 5, mode="linear"),
    ],
)
def test_what_works_on_a_gpu_is_no_failure(call):
    check_moves(lambda move: call(move(torch.ones(3))))


@pytest.mark.parametrize(
    "call", [lambda x: x * torch.ones(3), lambda x: torch.ones(2, 3) @ x, lambda x: torch.cat([x, torch.ones(3)])]
)
def test_two_devices_in_one_operation_are_a_failure(call):
    with pytest.raises(stnkit.testing.CheckFailed, match="a tensor stays on the CPU"):
        check_moves(lambda move: call(move(torch.ones(3))))
