"""Files of arrays: damaged ones, and those of something else, are refused in one sentence."""

import io
import warnings
import zipfile

import numpy as np
import pytest
import torch

from stnkit.errors import DataError, InputError
from stnkit.files.arrays import has_names, read_array

NUMBERS = np.arange(200) % 3


def header(path, shape):
    """Writes a file of 100 bytes, of which the header claims this shape, into an archive if the name is that of one."""
    with path.with_suffix(".npy").open("wb") as file:
        described = {"shape": shape, "fortran_order": False, "descr": "|u1"}
        np.lib.format.write_array_header_1_0(file, described)
        file.write(bytes(100))
    if path.suffix == ".npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(path.with_suffix(".npy"), "images.npy")


def cut_header(path):
    """Writes a header that ends inside of a bracket, and says that this is its length."""
    path.write_bytes(b"\x93NUMPY\x01\x00" + (20).to_bytes(2, "little") + b"{'descr': '|u1', 's(")


def damaged(path):
    """Writes an archive whose compressed stream has an invalid block."""
    np.savez_compressed(path, images=np.zeros(1000), targets=NUMBERS)
    content = bytearray(path.read_bytes())
    start = 30 + int.from_bytes(content[26:28], "little") + int.from_bytes(content[28:30], "little")
    content[start] = 0xFF
    path.write_bytes(content)


def of_numpy(save):
    """The bytes of a file of NumPy, whatever its name."""
    buffer = io.BytesIO()
    save(buffer, NUMBERS)
    return buffer.getvalue()


def quantized():
    """A tensor of integers with a scale."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.rand(4, 3), 0.1, 0, torch.quint8)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.npy", lambda p: p.write_text("no array"), "cannot be read"),
        ("a.npz", lambda p: p.write_bytes(b"PK no archive"), "cannot be read"),
        ("a.pt", lambda p: p.write_bytes(b"no archive"), "a.pt: expected"),
        (
            "a.pt",
            lambda p: torch.save({"images": InputError("x")}, p),
            "other objects, which are refused",
        ),
        ("a.pt", lambda p: torch.save({"images": [1, 2]}, p), "got list beside tensors"),
        (
            "a.pt",
            lambda p: torch.save({"images": torch.ones(2), "n": 1, "m": 2, "a": "b"}, p),
            "cannot be read: got int, str beside tensors",
        ),
        ("a.npy", lambda p: p.write_bytes(b"\x93NUMP"), "cannot be read: it does not begin as a file of NumPy"),
        ("a.npy", lambda p: p.write_bytes(b"\x93NUMPY"), "cannot be read: (?!objects)"),
        ("a.npz", lambda p: p.write_bytes(b"P"), "cannot be read: it does not begin as a file of NumPy"),
        ("a.npy", lambda p: np.save(p, np.array([{}])), "cannot be read: objects are refused"),
        ("a.npz", lambda p: np.savez(p, images=np.array([{}])), "cannot be read: objects are refused"),
        (
            "a.npz",
            lambda p: np.savez(p, pictures=NUMBERS, targets=NUMBERS),
            "an array 'images', got 'pictures', 'targets'",
        ),
        (
            "a.npz",
            lambda p: header(p, (2**51,)),
            "a.npz: expected an array of numbers, .*: Unable to allocate 2.00 PiB",
        ),
        ("a.npz", lambda p: header(p, (2**70, 4)), "a.npz: expected an array of numbers, and it cannot be read"),
        ("a.npy", lambda p: header(p, (2**70, 4)), "a.npy: expected an array of numbers, and it cannot be read"),
        ("a.npy", lambda p: header(p, (-1, 4)), "a.npy: expected an array of numbers, and it cannot be read"),
        ("a.npy", cut_header, "a.npy: expected an array of numbers, and it cannot be read"),
        ("a.npz", damaged, "a.npz: expected an array of numbers, and it cannot be read: .*decompress"),
        ("a.npz", lambda p: p.write_bytes(of_numpy(np.save)), "its name ends in .npz, and its content is of the other"),
        (
            "a.npy",
            lambda p: p.write_bytes(of_numpy(np.savez)),
            "its name ends in .npy, and its content is of the other",
        ),
        ("a.pt", lambda p: torch.save(torch.eye(3).to_sparse(), p), "a.pt: .* cannot be read: can't convert Sparse"),
        ("a.pt", lambda p: torch.save(torch.eye(3, device="meta"), p), "a.pt: .* cannot be read: can't convert meta"),
        ("a.pt", lambda p: torch.save(quantized(), p), "a.pt: .* cannot be read: Got unsupported ScalarType QUInt8"),
        ("a.csv", lambda p: p.write_text("1,2"), "its name ends in .csv, not in .npy, .npz or .pt"),
    ],
)
def test_a_file_of_something_else_is_one_sentence(name, write, message, tmp_path):
    write(tmp_path / name)
    with pytest.raises(DataError, match=message) as refusal:
        read_array(tmp_path / name, "images", alone=name == "a.npy")
    assert "\n" not in str(refusal.value)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["a.npy", "a.pt"])
def test_an_array_without_a_name_is_not_found_by_one(name, tmp_path):
    path = tmp_path / name
    np.save(path, NUMBERS) if path.suffix == ".npy" else torch.save(torch.from_numpy(NUMBERS), path)
    assert not has_names(path, "images")
    assert np.array_equal(read_array(path, "targets", alone=True), NUMBERS)
    with pytest.raises(DataError, match=r"expected an array 'targets', got one without a name$"):
        read_array(path, "targets", alone=False)


@pytest.mark.parametrize("name", ["a.npz", "a.pt"])
def test_arrays_of_an_archive_have_names(name, tmp_path):
    path = tmp_path / name
    numbers = torch.from_numpy(NUMBERS)
    np.savez(path, targets=NUMBERS) if path.suffix == ".npz" else torch.save({"targets": numbers}, path)
    assert has_names(path, "images")
    assert np.array_equal(read_array(path, "targets", alone=False), NUMBERS)
