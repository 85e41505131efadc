"""`stnkit apply` of a run on arrays: files in another unit than that of its images are refused."""

import numpy as np
import pytest
from PIL import Image

from tests.helpers import QUICK, metrics, noise_images, trained

pytestmark = [pytest.mark.training, pytest.mark.no_jaxtyping]


@pytest.mark.parametrize(("largest", "code"), [(1, 0), (255, 2)])
def test_files_are_in_the_unit_of_the_training(largest, code, stnkit_main, tmp_path):
    images = noise_images(28, 28)
    np.savez(tmp_path / "all.npz", images=(images / 255 * largest).astype(np.float32), targets=np.arange(200) % 3)
    data = ["dataset=arrays", f"dataset.root={tmp_path}", "dataset.images=all.npz"]
    run = trained(tmp_path, *QUICK, *data, "training.epochs=1")
    assert metrics(run)["dataset"]["value_range"] == [0, largest]
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    found, _, err = stnkit_main("apply", run, tmp_path / "a.png", "--output", tmp_path / "out" / "of")
    assert found == code
    if code:
        assert err == (
            f"stnkit apply: expected arrays (.npy) of numbers as those of the training, 0 to 255, got "
            f"{tmp_path}/a.png, which is read as 0 to 1\n"
        )
