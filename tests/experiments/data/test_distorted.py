"""A result that a distortion must not give is one sentence in a run, with its class and its method."""

import pytest
import torch

import stnkit
from stnkit.experiments.data.distorted import check_finite, distorted_images, drawn_theta
from stnkit.experiments.data.fixed import FixedLoader

pytestmark = pytest.mark.no_jaxtyping

IMAGES, THETA = torch.rand(4, 1, 8, 8), torch.zeros(4, 2)


class Ripple(stnkit.Distortion):
    def __init__(self, drawn=THETA, applied=IMAGES):
        self.family, self.out_size = stnkit.build("transform", "translation"), (8, 8)
        self.drawn, self.applied = drawn, applied

    def sample(self, n, generator):
        return self.drawn

    def apply(self, images, theta, generator):
        return self.applied


def refusal(call):
    with pytest.raises(stnkit.errors.InputError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        ((THETA, THETA), "expected a tensor of shape [4, 2], got tuple"),
        (None, "expected a tensor of shape [4, 2], got NoneType"),
        (THETA.numpy(), "expected a tensor of shape [4, 2], got ndarray"),
        (THETA[:3], "expected a tensor of shape [4, 2], got [3, 2]"),
        (THETA[:, :1], "expected a tensor of shape [4, 2], got [4, 1]"),
        (THETA.long(), "expected a floating-point tensor, got torch.int64"),
        (THETA.to("meta"), "expected a tensor on the CPU, got one on meta"),
        (THETA.log() - THETA.log(), "expected finite θ, got NaN or infinity"),
    ],
    ids=["tuple", "none", "ndarray", "short", "narrow", "whole", "meta", "nan"],
)
def test_draws_that_are_no_theta_are_refused_by_name(drawn, said):
    assert refusal(lambda: drawn_theta(Ripple(drawn), 4, torch.Generator())) == f"Ripple.sample: {said}"


def test_draws_that_require_a_gradient_are_detached():
    assert not drawn_theta(Ripple(THETA.clone().requires_grad_()), 4, torch.Generator()).requires_grad


@pytest.mark.parametrize(
    ("applied", "got"),
    [
        ((IMAGES, THETA), "tuple"),
        (None, "NoneType"),
        (IMAGES.numpy(), "ndarray"),
        (IMAGES[:3], "[3, 1, 8, 8]"),
        (IMAGES[..., :7], "[4, 1, 8, 7]"),
        (IMAGES.repeat(1, 2, 1, 1), "[4, 2, 8, 8]"),
    ],
    ids=["tuple", "none", "ndarray", "short", "cropped", "channels"],
)
def test_images_of_another_form_are_refused_by_name(applied, got):
    said = f"Ripple.apply: expected a tensor of shape [4, 1, 8, 8], got {got}"
    assert refusal(lambda: distorted_images(Ripple(applied=applied), IMAGES, THETA, torch.Generator())) == said


def test_images_that_are_not_finite_are_refused_by_name():
    said = "Ripple.apply: expected finite images, got NaN or infinity"
    assert refusal(lambda: check_finite(Ripple(), IMAGES * torch.nan)) == said
    fixed = FixedLoader(IMAGES, torch.arange(4), Ripple(applied=IMAGES * torch.nan), 4, "test", torch.device("cpu"))
    assert refusal(lambda: fixed.images[:]) == said
    check_finite(Ripple(), IMAGES)
