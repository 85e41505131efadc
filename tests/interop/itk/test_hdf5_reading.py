"""HDF5 files of SimpleITK 2.5.7 and our own, whole, cut short and damaged."""

import random
import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from stnkit.errors import InputError
from stnkit.interop import itk
from stnkit.interop.itk import hdf5
from stnkit.interop.itk.hdf5_objects import Objects
from stnkit.interop.itk.hdf5_transforms import chain_of_hdf5
from tests.interop.itk import cases

VECTOR = np.arange(2000.0) / 7
GROUP = {"TransformType": "TranslationTransform_double_2_2", "TransformFixedParameters": np.array([])}


def spline(ndim):
    made = sitk.BSplineTransform(ndim, 3)
    made.SetTransformDomainMeshSize([2 + axis for axis in range(ndim)])
    made.SetParameters(np.random.default_rng(0).random(len(made.GetParameters())).tolist())
    return made


def field(ndim):
    vectors = np.random.default_rng(0).random((*range(3, 3 + ndim), ndim))
    return sitk.DisplacementFieldTransform(sitk.GetImageFromArray(vectors, isVector=True))


TRANSFORMS = {
    "identity": lambda: sitk.Transform(3, sitk.sitkIdentity),
    "translation": lambda: sitk.TranslationTransform(3, (1.0, 2.0, 1 / 3)),
    "scale": lambda: sitk.ScaleTransform(2, (1.1, 0.8)),
    "affine": lambda: sitk.AffineTransform((0.9, 0.4, 0.1, -0.5, 0.8, 0.2, 0.1, -0.2, 1.1), (1, 2, 3), (4, 5, 6)),
    "euler 2-D": lambda: sitk.Euler2DTransform((3.0, -4.0), 0.3, (1.0, 2.0)),
    "similarity 2-D": lambda: sitk.Similarity2DTransform(1.2, 0.3, (1.0, 2.0), (3.0, -4.0)),
    "euler 3-D": lambda: sitk.Euler3DTransform((3.0, -4.0, 5.0), 0.3, -0.4, 0.5, (1.0, 2.0, 3.0)),
    "versor": sitk.VersorTransform,
    "versor rigid": sitk.VersorRigid3DTransform,
    "similarity 3-D": sitk.Similarity3DTransform,
    "spline 2-D": lambda: spline(2),
    "spline 3-D": lambda: spline(3),
    "field 2-D": lambda: field(2),
    "field 3-D": lambda: field(3),
}


def numbers(transform):
    return tuple(transform.GetParameters()), tuple(transform.GetFixedParameters())


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_file_of_simpleitk_is_read(name, tmp_path):
    transform = TRANSFORMS[name]()
    sitk.WriteTransform(transform, str(tmp_path / "map.h5"))
    (read,) = itk.read(tmp_path / "map.h5")
    assert (tuple(read.parameters.tolist()), tuple(read.fixed_parameters.tolist())) == numbers(transform)
    assert read.ndim == transform.GetDimension()
    assert read.name == ("IdentityTransform" if name == "identity" else transform.GetName())


# Of more than 8 links a group becomes a heap; numbers are sorted as text in it.
@pytest.mark.parametrize("n", [2, 7, 8, 9, 30])
@pytest.mark.parametrize("writer", ["SimpleITK", "ours"])
def test_a_composite_of_any_length_is_read_in_its_order(writer, n, tmp_path):
    parts = [sitk.TranslationTransform(2, (i, i / 3)) for i in range(n)]
    path = tmp_path / "map.hdf5"
    if writer == "ours":
        itk.write(path, parts)
    else:
        sitk.WriteTransform(sitk.CompositeTransform(parts), str(path))
    assert [each.parameters[0] for each in itk.read(path)] == list(range(n))


# The heap of 40 links has a table of blocks, the index of 50 a level above its leaves, that of 1,000 two. Three, and
# tables of tables, come with some 30,000 links: 45,000 were read once, in twelve seconds.
@pytest.mark.parametrize("n", [40, 50, 1000])
def test_a_group_of_several_blocks_is_read_in_its_order(n, tmp_path):
    parts = [sitk.TranslationTransform(2, (i, i / 3)) for i in range(n)]
    sitk.WriteTransform(sitk.CompositeTransform(parts), str(tmp_path / "map.h5"))
    assert [each.parameters.tolist() for each in itk.read(tmp_path / "map.h5")] == [[i, i / 3] for i in range(n)]


def test_the_picture_of_a_file_that_is_read_is_that_of_simpleitk(tmp_path):
    moving, fixed = cases.MOVING[2], cases.FIXED[2]
    family, theta = cases.family_of("bspline", 2), cases.theta_of("bspline", 2)
    transform = cases.sitk_transform(itk.transforms_of_theta(family, theta, moving, fixed))
    sitk.WriteTransform(transform, str(tmp_path / "map.h5"))
    found = itk.theta_of_transforms(family, itk.read(tmp_path / "map.h5"), moving, fixed)
    array = cases.random_image(moving)
    expected, inside, _ = cases.expected(array, family, found, fixed.shape)
    assert inside.any()
    np.testing.assert_allclose(cases.resampled(array, transform, moving, fixed), expected, rtol=0, atol=1e-12)


class Chunked(hdf5._Writer):
    """A writer of vectors in chunks of 512, shuffled and deflated, as the HDF5 library stores compressed ones."""

    def __init__(self, root, filters):
        super().__init__(root)
        self.filters = filters

    def _dataset(self, datatype, n, data):
        if len(data) < 4096:
            return super()._dataset(datatype, n, data)
        children = b""
        for first in range(0, n, 512):
            chunk = data[8 * first : 8 * first + 4096].ljust(4096, b"\0")
            if 2 in self.filters:
                chunk = np.frombuffer(chunk, np.uint8).reshape(-1, 8).T.tobytes()
            chunk = zlib.compress(chunk)
            children += struct.pack("<IIQQQ", len(chunk), 0, first, 0, self._append(chunk))
        tree = b"TREE" + struct.pack("<BBHQQ", 1, 0, (n + 511) // 512, *[2**64 - 1] * 2)
        # The last key lies behind the last chunk.
        last = struct.pack("<IIQQ", 0, 0, -(-n // 512) * 512, 0)
        address = self._append(tree + children + last)
        filters = b"".join(struct.pack("<HHHHII", each, 0, 0, 1, 8, 0) for each in self.filters)
        return self._object(
            [
                (1, struct.pack("<BBBBIQ", 1, 1, 0, 0, 0, n)),
                (3, datatype),
                (8, struct.pack("<BBBQII", 3, 2, 2, address, 512, 8)),
                (11, struct.pack("<BB6x", 1, len(self.filters)) + filters),
            ]
        )


def chunked_file(monkeypatch, filters):
    monkeypatch.setattr(hdf5, "_Writer", lambda root: Chunked(root, filters))
    lattice = np.array([40.0, 25, 0, 0, 1, 1, 1, 0, 0, 1])
    group = {"TransformType": "BSplineTransform_double_2_2", "TransformFixedParameters": lattice}
    return hdf5.hdf5_bytes({"TransformGroup": {"0": {**group, "TransformParameters": VECTOR}}})


@pytest.mark.parametrize("filters", [[1], [2, 1]])
def test_deflated_chunks_are_read_as_simpleitk_reads_them(filters, monkeypatch, tmp_path):
    content = chunked_file(monkeypatch, filters)
    assert len(content) < VECTOR.nbytes
    (tmp_path / "map.h5").write_bytes(content)
    transform = sitk.ReadTransform(str(tmp_path / "map.h5"))
    theirs = np.array(transform.GetParameters())
    (read,) = itk.read(tmp_path / "map.h5")
    np.testing.assert_array_equal(read.parameters, VECTOR)
    np.testing.assert_array_equal(read.parameters, theirs)


def test_another_filter_is_refused(monkeypatch):
    content = chunked_file(monkeypatch, [4])
    with pytest.raises(InputError, match=r"^TransformParameters: expected the filters deflate and .*, got number 4$"):
        chain_of_hdf5(content)


def test_a_file_of_itk_4_has_other_names():
    old = {"TransformType": GROUP["TransformType"], "TranformFixedParameters": np.array([])}
    content = hdf5.hdf5_bytes({"TransformGroup": {"0": {**old, "TranformParameters": np.array([1.0, 2.0])}}})
    assert chain_of_hdf5(content)[0].parameters.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ({}, "expected the group TransformGroup, got an empty file"),
        ({"image": VECTOR}, "expected the group TransformGroup, got image"),
        ({"TransformGroup": {}}, "expected numbered transforms in TransformGroup, got none"),
        ({"TransformGroup": {"0": {}}}, "transform 0: expected its TransformType, got nothing"),
        ({"TransformGroup": {"0": GROUP}}, "transform 0: expected its TransformParameters, got TransformFixed"),
        ({"TransformGroup": {"0": {"TransformType": VECTOR}}}, "TransformType: expected a string, got the type 1"),
        (
            {"TransformGroup": {"0": {**GROUP, "TransformParameters": "1 2"}}},
            "TransformParameters: expected float32 or float64, got the type 9",
        ),
    ],
)
def test_a_file_of_something_else_is_refused(root, message):
    with pytest.raises(InputError) as caught:
        chain_of_hdf5(hdf5.hdf5_bytes(root))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("writer", ["SimpleITK", "ours"])
def test_a_file_that_is_cut_short_or_damaged_is_one_sentence(writer, tmp_path):
    parts = [sitk.TranslationTransform(2, (i, i / 3)) for i in range(12)]
    path = tmp_path / "map.h5"
    if writer == "ours":
        itk.write(path, parts)
    else:
        sitk.WriteTransform(sitk.CompositeTransform(parts), str(path))
    whole, draw = path.read_bytes(), random.Random(0)
    for n in [*range(0, 100, 7), *range(100, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:n])
        with pytest.raises(InputError, match=r"^map\.h5: expected "):
            itk.read(path)
    n_refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        try:
            chain_of_hdf5(bytes(damaged))
        except InputError as error:
            n_refused += 1
            assert "\n" not in str(error)  # noqa: PT017 a number may have changed: no error at all
    assert n_refused > 20


@pytest.mark.parametrize("node", [b"FRHP", b"FHIB", b"BTHD", b"BTIN", b"BTLF"])
def test_a_damaged_large_group_is_one_sentence(node, tmp_path):
    parts = [sitk.TranslationTransform(2, (i, i / 3)) for i in range(60)]
    sitk.WriteTransform(sitk.CompositeTransform(parts), str(tmp_path / "map.h5"))
    whole, draw = (tmp_path / "map.h5").read_bytes(), random.Random(0)
    group = Objects(whole).members(Objects(whole).root)["TransformGroup"]
    n_refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[whole.index(node) + draw.randrange(40)] = draw.randrange(256)
        try:
            Objects(bytes(damaged)).members(group)
        except InputError as error:
            n_refused += 1
            assert "\n" not in str(error)  # noqa: PT017 a hash or a name may have changed: no error at all
    assert n_refused > 20
