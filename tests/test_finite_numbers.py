import math
from fractions import Fraction

import numpy as np
import pytest

import stnkit
from stnkit.errors import InputError
from stnkit.finite_numbers import is_finite, is_finite_number
from stnkit.initial_theta import initial_theta
from stnkit.interop import itk, torchvision

HUGE = 10**400
pytestmark = pytest.mark.no_jaxtyping


@pytest.mark.parametrize("value", [0, -1.5, np.float32(2), Fraction(1, 3), 10**308])
def test_a_number_that_a_float_can_hold_is_finite(value):
    assert is_finite(value)
    assert is_finite_number(value)


@pytest.mark.parametrize("value", [math.inf, math.nan, -HUGE, Fraction(HUGE, 3), np.float32("nan")])
def test_a_number_that_a_float_cannot_hold_is_not(value):
    assert not is_finite(value)
    assert not is_finite_number(value)


@pytest.mark.parametrize("value", [True, "1", None, [1.0], 1j])
def test_what_is_no_real_number_is_no_finite_one(value):
    assert not is_finite_number(value)


def affine():
    return stnkit.build("transform", "affine")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: initial_theta(affine(), [HUGE] * 6), "transform_init: expected 6 finite numbers"),
        (lambda: initial_theta(affine(), {"zoom": HUGE}), "transform_init: zoom: expected a finite number above 0"),
        (lambda: initial_theta(affine(), {"center": [0, HUGE]}), "transform_init: center: expected 2 finite numbers"),
        (lambda: stnkit.build("sampler", "gaussian", sigma=HUGE), "sampler 'gaussian': .*"),
        (lambda: type(stnkit.build("sampler", "gaussian"))(sigma=HUGE), "sigma: expected at least 0.1 pixels"),
        (lambda: type(stnkit.build("sampler", "gaussian"))(sigma=1e308), "sigma: expected at least 0.1 pixels"),
        (
            lambda: type(stnkit.build("sampler", "bilinear"))(padding="fill", fill_value=HUGE),
            "fill_value: expected a finite number",
        ),
        (
            lambda: torchvision.theta_of_affine(affine(), HUGE, (0, 0), 1.0, (0, 0), (5, 5)),
            "angle: expected a finite number",
        ),
        (lambda: itk.Geometry((3, 4), spacing=(1, HUGE)), "spacing: expected 2 finite numbers"),
    ],
)
def test_a_number_too_large_is_refused_in_one_sentence(call, message):
    with pytest.raises(InputError, match=f"^{message}"):
        call()


def test_a_limit_too_large_for_a_float_is_no_bound():
    family = type(stnkit.build("transform", "bounded"))("translation", [0.5, HUGE])
    assert family.inner_theta(family.identity()[None] + 3.0)[0, 1] == 3.0
