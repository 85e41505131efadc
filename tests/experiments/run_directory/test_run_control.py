"""A job is what determines its result: the place of the data is not part of it."""

import pytest

from stnkit.experiments.run_directory.job_identity import identity_of
from stnkit.experiments.run_directory.run_control import component_paths

MNIST = {"name": "mnist", "root": "data/mnist", "download": False, "n_validation": 5000}
HERE = {"seed": 0, "dataset": MNIST, "training": {"epochs": 1}, "placement": {"at": [], "parts": {}}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"dataset": MNIST}, {"dataset": MNIST | {"root": "/elsewhere", "download": True}}),
        # Written before there was the option.
        ({"dataset": MNIST}, {"dataset": {"name": "mnist", "n_validation": 5000}}),
        (
            {"dataset": {"name": "addition", "source": MNIST}},
            {"dataset": {"name": "addition", "source": MNIST | {"root": "/elsewhere"}}},
        ),
        (
            {"dataset": {"name": "addition", "source": "mnist"}},
            {"dataset": {"name": "addition", "source": {"name": "mnist", "root": "/elsewhere"}}},
        ),
        ({}, {"training": {"epochs": 1, "devices": 4}}),
    ],
)
def test_jobs_with_data_in_two_places_are_one(one, other):
    assert identity_of(HERE | one) == identity_of(HERE | other)


@pytest.mark.parametrize(
    "other",
    [
        {"dataset": MNIST | {"n_validation": 100}},
        {"dataset": {"name": "addition", "source": MNIST}},
        {"dataset": {"name": "no_such_dataset", "root": "data/mnist"}},
        {"training": {"epochs": 2}},
    ],
)
def test_jobs_that_differ_in_anything_else_are_two(other):
    assert identity_of(HERE) != identity_of(HERE | other)


def test_options_of_a_missing_plugin_are_all_of_the_job():
    unknown = [HERE | {"dataset": {"name": "no_such_dataset", "root": root}} for root in ("a", "b")]
    assert identity_of(unknown[0]) != identity_of(unknown[1])


def test_paths_lead_to_options_at_every_depth():
    config = {
        "dataset": {"name": "addition", "source": MNIST},
        # A point's name may have dots, and a component there is one of its kind.
        "placement": {"at": ["a.b"], "parts": {"a.b": {"transform": {"name": "compose", "stages": ["affine"]}}}},
        "transform": {"name": "compose", "stages": [{"name": "affine", "ndim": 2}]},
    }
    assert component_paths(config) == [("dataset", "source", "root"), ("dataset", "source", "download")]
