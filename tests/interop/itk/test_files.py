"""Files that SimpleITK 2.5.7 reads, and files that it writes."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from stnkit.errors import InputError
from stnkit.interop import itk
from tests.interop.itk import cases

SUFFIXES = [".tfm", ".txt", ".h5", ".hdf5"]


def chain_of(name, ndim, *, over_one_box=False):
    moving, fixed = cases.MOVING[ndim], cases.FIXED[ndim]
    family, theta = cases.family_of(name, ndim), cases.theta_of(name, ndim)
    return itk.transforms_of_theta(family, theta, fixed.covered_by(moving.shape) if over_one_box else moving, fixed)


def values(transform):
    inner = transform.GetNumberOfTransforms() if transform.GetName() == "CompositeTransform" else 0
    parts = [transform.GetNthTransform(i) for i in range(inner)] or [transform]
    return [(each.GetName(), each.GetParameters(), each.GetFixedParameters()) for each in parts]


def ours(chain):
    return [(each.name, tuple(each.parameters.tolist()), tuple(each.fixed_parameters.tolist())) for each in chain]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", ["affine", "bspline", "displacement", "tps"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_simpleitk_reads_every_number_as_it_is(suffix, name, ndim, tmp_path):
    chain = chain_of(name, ndim)
    itk.write(tmp_path / f"map{suffix}", chain)
    assert values(sitk.ReadTransform(str(tmp_path / f"map{suffix}"))) == ours(chain)
    assert [path.name for path in tmp_path.iterdir()] == [f"map{suffix}"]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", ["affine", "bspline", "displacement"])
def test_simpleitk_reads_and_writes_the_same_mat(name, ndim, tmp_path):
    chain = chain_of(name, ndim, over_one_box=True)
    itk.write(tmp_path / "map.mat", chain)
    transform = sitk.ReadTransform(str(tmp_path / "map.mat"))
    assert values(transform) == ours(chain)
    sitk.WriteTransform(transform, str(tmp_path / "theirs.mat"))
    assert (tmp_path / "theirs.mat").read_bytes() == (tmp_path / "map.mat").read_bytes()


@pytest.mark.parametrize("suffix", [".tfm", ".h5", ".mat"])
def test_the_picture_of_a_file_is_that_of_theta(suffix, tmp_path):
    moving, fixed = cases.MOVING[3], cases.FIXED[3]
    name = "affine" if suffix == ".mat" else "bspline"
    itk.write(tmp_path / f"map{suffix}", chain_of(name, 3))
    array = cases.random_image(moving)
    theirs = cases.resampled(array, sitk.ReadTransform(str(tmp_path / f"map{suffix}")), moving, fixed)
    expected, inside, _ = cases.expected(array, cases.family_of(name, 3), cases.theta_of(name, 3), fixed.shape)
    assert inside.any()
    np.testing.assert_allclose(theirs, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("suffix", [".tfm", ".txt", ".mat", ".h5", ".hdf5"])
def test_files_of_simpleitk_are_read(suffix, tmp_path):
    transform = sitk.Euler3DTransform((1.0, 2.0, 3.0), 0.1, 0.2, 0.3, (4.0, 5.0, 1 / 3))
    sitk.WriteTransform(transform, str(tmp_path / f"map{suffix}"))
    assert ours(itk.read(tmp_path / f"map{suffix}")) == values(transform)


def test_a_composite_of_simpleitk_is_read_in_its_order(tmp_path):
    parts = [sitk.TranslationTransform(2, (1.0, 2.0)), sitk.ScaleTransform(2, (3.0, 1e-7))]
    sitk.WriteTransform(sitk.CompositeTransform(parts), str(tmp_path / "map.tfm"))
    assert [each.name for each in itk.read(tmp_path / "map.tfm")] == ["TranslationTransform", "ScaleTransform"]


def test_a_mat_of_big_endian_float32_is_read(tmp_path):
    def vector(name, numbers):
        head = np.array([1010, len(numbers), 1, 0, len(name) + 1], dtype=">i4").tobytes()
        return head + name.encode() + b"\0" + np.array(numbers, dtype=">f4").tobytes()

    content = vector("TranslationTransform_float_2_2", [0.5, 2.0]) + vector("fixed", [])
    (tmp_path / "map.mat").write_bytes(content)
    (transform,) = itk.read(tmp_path / "map.mat")
    assert (transform.name, transform.parameters.tolist()) == ("TranslationTransform", [0.5, 2.0])


# The affine registration of antspyx 0.6.3 of two images of 31×29 pixels, as it wrote it, and its image of two points.
ANTS = (
    "0a0000000600000001000000000000001a000000416666696e655472616e73666f726d5f666c6f61745f325f3200"
    "3a16773f7f9b77bcdf749a3d3c9f3c3f266abf3f242a9a3f"
    "0a000000020000000100000000000000060000006669786564001f358bc18a6607c1"
)
ANTS_POINTS = {(1.0, 2.0): (1.6966421604, 1.8384878635), (-10.0, 5.0): (-8.9657077789, 3.2193014622)}


def test_a_mat_of_ants_is_read(tmp_path):
    (tmp_path / "0GenericAffine.mat").write_bytes(bytes.fromhex(ANTS))
    matrix = itk.physical_matrix(itk.read(tmp_path / "0GenericAffine.mat"))
    for point, image in ANTS_POINTS.items():
        np.testing.assert_allclose(matrix @ [*point, 1], [*image, 1], rtol=2e-6)


@pytest.mark.parametrize("name", ["map", "map.xfm", "map.nii.gz"])
def test_an_unknown_suffix_is_refused(name, tmp_path):
    with pytest.raises(InputError, match=r"expected a name in \.tfm, \.txt, \.mat, \.h5, \.hdf5, got"):
        itk.write(tmp_path / name, chain_of("affine", 2))
    with pytest.raises(InputError, match=r"expected a \.tfm, \.txt, \.mat or \.h5 file, got"):
        itk.read(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_several_transforms_in_a_mat_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"^map\.mat: expected one transform in a \.mat file, got 2: use \.tfm or \.h5$"
    ):
        itk.write(tmp_path / "map.mat", chain_of("bspline", 2))
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a folder that exists, got .*missing$"):
        itk.write(tmp_path / "missing" / "map.tfm", chain_of("affine", 2))
    with pytest.raises(InputError, match="expected a file, got No such file"):
        itk.read(tmp_path / "map.tfm")


TEXT = "#Insight Transform File V1.0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a file that begins with '#Insight Transform File V1.0', got ''"),
        ("a,b\n1,2\n", "expected a file that begins with '#Insight Transform File V1.0', got 'a,b'"),
        (TEXT, "expected a line 'Transform: …', got none"),
        (f"{TEXT}Transform: Nothing\n", "expected the type of a transform in 2 or 3 dimensions, got 'Nothing'"),
        (
            f"{TEXT}Transform: BSplineTransform_double_2_2_2\n",
            "expected the type of a transform in 2 or 3 dimensions, got 'BSplineTransform_double_2_2_2'",
        ),
        (f"{TEXT}Transform: AffineTransform_double_2_2\nParameters: 1 x\n", "Parameters: expected numbers, got '1 x'"),
        (
            f"{TEXT}Transform: AffineTransform_double_2_2\nParameters: 1 nan\n",
            "AffineTransform: expected finite parameters, got one that is not",
        ),
        (
            f"{TEXT}Transform: AffineTransform_double_2_2\nParameters: 1 0 0 1 0 0\n",
            "AffineTransform_double_2_2: expected a line 'FixedParameters: …', got none: the file is cut short",
        ),
        (
            f"{TEXT}Transform: IdentityTransform_double_2_2\nTransform: IdentityTransform_double_3_3\n",
            "transform: expected transforms of one number of dimensions, got 2 transforms",
        ),
    ],
)
def test_a_text_of_another_form_is_refused(text, message, tmp_path):
    (tmp_path / "map.tfm").write_text(text)
    with pytest.raises(InputError) as caught:
        itk.read(tmp_path / "map.tfm")
    assert str(caught.value) == f"map.tfm: {message}"


def test_a_mat_that_is_cut_short_is_refused(tmp_path):
    itk.write(tmp_path / "map.mat", chain_of("affine", 2))
    content = (tmp_path / "map.mat").read_bytes()
    for n in (0, 3, 19, 30, 60, len(content) - 30, len(content) - 1):
        (tmp_path / "map.mat").write_bytes(content[:n])
        with pytest.raises(InputError, match=r"^map\.mat: expected a MATLAB 4 file of two real vectors, got another$"):
            itk.read(tmp_path / "map.mat")
    (tmp_path / "map.mat").write_bytes(content + b"more")
    with pytest.raises(InputError, match=r"^map\.mat: expected "):
        itk.read(tmp_path / "map.mat")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "map.tfm").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"^map\.tfm: expected a text file, got other bytes$"):
        itk.read(tmp_path / "map.tfm")


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("transform", [torch.zeros(6), "map.tfm", [], None])
def test_no_transform_is_refused(transform, tmp_path):
    with pytest.raises(InputError, match=r"^transform: expected "):
        itk.write(tmp_path / "map.tfm", transform)
    assert not list(tmp_path.iterdir())
