"""The checks of annotations under which the other tests run."""

import functools
import os
from typing import TYPE_CHECKING

import jaxtyping
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float
from torch import Tensor, zeros

from stnkit import shares
from tests.typechecker import typechecked

if TYPE_CHECKING:
    from collections.abc import Hashable as Unknown

checked = functools.partial(jaxtyping.jaxtyped, typechecker=typechecked)
refused = functools.partial(pytest.raises, (jaxtyping.TypeCheckError, BeartypeCallHintViolation))


@checked
def repeated(text: str, times: float = 2) -> str:
    return text * times if times else times


@checked
def added(a: Float[Tensor, "n 1"], b: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
    return a + b if len(a) else zeros(1)


@checked
def later(anything: "Unknown") -> "Unknown":
    return anything


class Counter:
    @checked
    @classmethod
    def made(cls, start: int) -> int:
        return start

    @checked
    @property
    def text(self) -> str:
        return 1

    @checked
    @staticmethod
    def grown(by: list[Float[Tensor, "n 1"]]) -> int:
        return len(by)


def test_arguments_and_returns_are_checked_without_shapes():
    assert repeated("a", times=3) == "aaa"
    for arguments in ((1,), ("a", "b"), ("a", 0)):
        with refused():
            repeated(*arguments)


def test_shapes_are_compared_with_each_other():
    assert added(zeros(2, 1), zeros(2, 1)).shape == (2, 1)
    for arguments in ((zeros(2, 1), zeros(3, 1)), (zeros(0, 1), zeros(0, 1))):
        with refused():
            added(*arguments)


def test_methods_of_every_form_are_checked():
    assert (Counter.made(1), Counter.grown([zeros(1, 1)])) == (1, 1)
    for mistaken in (lambda: Counter.made("1"), lambda: Counter().text, lambda: Counter.grown([1])):
        with refused():
            mistaken()


@pytest.mark.no_jaxtyping
def test_the_marker_switches_all_of_it_off():
    assert (repeated("a", 0), Counter().text) == (0, 1)
    assert added(zeros(2, 1), zeros(1, 1)).shape == (2, 1)


def test_a_name_for_type_checkers_alone_is_no_mistake():
    assert later(1) == 1


def test_functions_of_stnkit_are_checked():
    # As imported by every other test: unless `make quick` leaves the checks out.
    if os.environ.get("STNKIT_SHAPE_CHECKS") == "off":
        pytest.skip("the checks are switched off")
    with refused():
        shares.checked_shares({0.5})
