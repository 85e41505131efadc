import numpy as np
import pytest

import stnkit
from tests.helpers import ARRAY_LABELS


@pytest.fixture
def save(tmp_path):
    """Saves images and targets as .npy files of these names, and builds the dataset."""

    def run(images, targets=ARRAY_LABELS, name="images.npy", **options):
        np.save(tmp_path / name, images)
        np.save(tmp_path / name.replace("images", "targets"), targets)
        return built(**options)

    def built(**options):
        return stnkit.build("dataset", "arrays", root=str(tmp_path), **options)

    run.built = built
    return run
