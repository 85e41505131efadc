"""The record of a dataset is plain JSON, and a dataset of that record is the same to a network."""

import json

import numpy as np
import pytest
import torch

import stnkit
from stnkit.experiments.data.recorded import RecordedDataset, difference, facts_of


class Counted(stnkit.Dataset):
    """Its numbers are of NumPy, as a script counts them."""

    def __init__(self, n_classes=3):
        labels = np.arange(9) % n_classes
        self.n_classes = labels.max() + 1
        self.image_shape = tuple(np.array([1, 20, 24]))
        self.class_names = ("a", "b", "c")[:n_classes]

    def split(self, name):
        return torch.zeros(9, 1, 20, 24), torch.arange(9) % self.n_classes


def test_numbers_of_numpy_are_recorded():
    facts = facts_of(Counted(), uses_labels=True)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["image_shape"] == [1, 20, 24]
    metrics = {"dataset": facts, "class_names": ["a", "b", "c"]}
    assert difference(metrics, Counted()) is None
    assert difference(metrics, Counted(2)) == "expected a dataset of 3 classes, as the run was trained on, got 2"
    del facts["uses_labels"]  # as in records before objectives without classes
    assert difference(metrics, Counted(2)).startswith("expected a dataset of 3 classes")


def test_the_range_of_the_images_is_recorded():
    images = torch.zeros(9, 1, 2, 2)
    images[8, 0, 1, 0], images[3, 0, 0, 0] = 255, -7
    facts = facts_of(Counted(), uses_labels=True, images=images)
    assert json.loads(json.dumps(facts))["value_range"] == [-7, 255]
    assert "value_range" not in facts_of(Counted(), uses_labels=True)
    assert difference({"dataset": facts, "class_names": ["a", "b", "c"]}, Counted()) is None


def test_a_recorded_dataset_has_all_but_the_images():
    metrics = {"dataset": facts_of(Counted(), uses_labels=True), "class_names": ["a", "b", "c"]}
    recorded = RecordedDataset(metrics, stnkit.errors.DataError("gone"))
    assert facts_of(recorded, uses_labels=True) == metrics["dataset"]
    assert recorded.class_names == ("a", "b", "c")
    assert difference(metrics, recorded) is None
    with pytest.raises(stnkit.errors.DataError, match=r"^gone$"):
        recorded.split("test")
