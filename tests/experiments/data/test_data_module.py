import torch

import stnkit
from stnkit.experiments.data.data_module import DistortedData


class Counting(stnkit.Dataset):
    """Counts how often each split is read."""

    n_classes = 2
    image_shape = (1, 4, 4)

    def __init__(self):
        self.reads = []

    def split(self, name):
        self.reads.append(name)
        return torch.zeros(4, 1, 4, 4), torch.arange(4) % 2


def test_one_process_reads_every_split_before_the_others():
    dataset = Counting()
    DistortedData(dataset, stnkit.build("distortion", "none", image_shape=(1, 4, 4)), 2, 0).prepare_data()
    assert sorted(dataset.reads) == ["test", "train", "validation"]
