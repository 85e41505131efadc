"""HDF5 files of many transforms, long names and empty vectors, as SimpleITK 2.5.7 reads them."""

import numpy as np
import pytest
import SimpleITK as sitk

from stnkit.interop import itk
from stnkit.interop.itk.hdf5 import hdf5_bytes


def shifts(n):
    return [itk.Transform("TranslationTransform", 3, np.array([i, i / 3, -i]), np.array([])) for i in range(n)]


# A group of 8 members fits into the smallest leaf of a B-tree, and names are sorted as text: 10 before 2.
@pytest.mark.parametrize("n", [1, 7, 8, 9, 33])
def test_any_number_of_transforms_is_read_in_order(n, tmp_path):
    itk.write(tmp_path / "map.h5", shifts(n))
    transform = sitk.ReadTransform(str(tmp_path / "map.h5"))
    if n > 1:
        assert transform.GetNumberOfTransforms() == n
        transform = transform.GetNthTransform(n - 1)
    assert transform.GetParameters() == (n - 1, (n - 1) / 3, 1 - n)
    assert transform.GetFixedParameters() == ()


def test_the_strings_may_be_more_than_the_smallest_heap(tmp_path):
    group = {
        "TransformType": "TranslationTransform_double_2_2",
        "TransformFixedParameters": np.array([]),
        "TransformParameters": np.array([1.0, 2.0]),
    }
    notes = {f"note{i:03d}": "x" * i for i in range(150)}
    (tmp_path / "map.h5").write_bytes(hdf5_bytes({"TransformGroup": {"0": group}, **notes}))
    assert sitk.ReadTransform(str(tmp_path / "map.h5")).GetParameters() == (1.0, 2.0)
