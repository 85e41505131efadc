"""The sample of cases that `make quick` runs of a test."""

from hypothesis import given
from hypothesis import strategies as st

from tests.quick import sample


@given(st.lists(st.integers(), max_size=300), st.integers(1, 200))
def test_a_sample_has_its_size_and_the_order_of_the_cases(cases, size):
    cases = list(enumerate(cases))
    chosen = sample(cases, size)
    assert len(chosen) == min(size, len(cases))
    assert sorted(set(chosen)) == chosen


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_sample_has_one_case_of_each_stretch(size, stretch):
    chosen = sample(list(range(size * stretch)), size)
    assert [case // stretch for case in chosen] == list(range(size))
