"""Gray volumes that were read as images with channels."""

import numpy as np
import pytest

import stnkit
from stnkit.errors import InputError
from stnkit.experiments.data.volume_layout import layout_named
from stnkit.experiments.placement import build_network

HINT = "; dataset.layout=ndhw reads an array of gray volumes"


def refusal(dataset, transform):
    """The sentence about a family of volumes."""
    components = {"transform": {"name": transform, "ndim": 3}, "localizer": "fully_connected", "sampler": "bilinear"}
    config = components | {"network": "none", "out_size": None}
    with pytest.raises(InputError) as refused, layout_named(dataset):
        build_network(config, ["input"], dataset.image_shape, None)
    return str(refused.value)


def arrays(tmp_path, shape, **options):
    np.save(tmp_path / "images.npy", np.zeros((20, *shape), np.uint8))
    return stnkit.build("dataset", "arrays", root=str(tmp_path), targets="none", **options)


@pytest.mark.parametrize("shape", [(8, 10, 12), (8, 10, 3)])
@pytest.mark.parametrize("transform", ["affine", "similarity"])
def test_a_family_of_volumes_names_their_layout(shape, transform, tmp_path):
    told = refusal(arrays(tmp_path, shape), transform)
    assert told.endswith(HINT)
    assert "\n" not in told


@pytest.mark.parametrize("options", [{"shape": (8, 10)}, {"shape": (1, 8, 10), "layout": "nchw"}])
def test_images_of_one_channel_are_no_volumes(options, tmp_path):
    assert HINT not in refusal(arrays(tmp_path, **options), "affine")


def test_a_dataset_without_a_layout_has_no_hint():
    assert HINT not in refusal(stnkit.build("dataset", "digits"), "affine")
