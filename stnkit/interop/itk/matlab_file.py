"""ITK's binary files of one transform, .mat, as ANTs writes them: two vectors in the format of MATLAB 4.

Source: MAT-File Format (MathWorks), chapter 2, Level 4 MAT-Files.
"""

import struct

import numpy as np
from jaxtyping import Float

from stnkit.errors import InputError
from stnkit.interop.itk.chain import chain_of
from stnkit.interop.itk.transform import Chain, Transform, of_type_name

_FIXED = "fixed"
# Digits M, O, P, T of the type: little-endian 0 or big-endian 1, 0, float64 0 or float32 1, full 0.
_FLOATS = {0: "<f8", 10: "<f4", 1000: ">f8", 1010: ">f4"}


def mat_bytes(transform: Transform) -> bytes:
    """The content of a .mat file: the parameters under the name of the class, then the fixed ones.

    Args:
        transform: any.
    """
    return _vector(transform.type_name, transform.parameters) + _vector(_FIXED, transform.fixed_parameters)


def chain_of_mat(content: bytes) -> Chain:
    """The transform of a .mat file.

    Args:
        content: of the file.

    Raises:
        InputError: when it is no such file.
    """
    (name, parameters), rest = _read_vector(content)
    (fixed_name, fixed), rest = _read_vector(rest)
    if fixed_name != _FIXED or rest:
        raise InputError(f"expected a vector of parameters and then one named {_FIXED!r}, got {fixed_name!r}")
    return chain_of(of_type_name(name, parameters.tolist(), fixed.tolist()))


def _vector(name: str, values: Float[np.ndarray, "n"]) -> bytes:
    encoded = name.encode("ascii") + b"\0"
    return struct.pack("<5i", 0, len(values), 1, 0, len(encoded)) + encoded + values.astype("<f8").tobytes()


def _read_vector(content: bytes) -> tuple[tuple[str, Float[np.ndarray, "n"]], bytes]:
    """The name and values of the first vector, and the bytes behind it."""
    # The digit of the byte order makes the type a large number in the wrong order.
    order = "<" if content[:4] and struct.unpack("<I", content[:4].ljust(4, b"\0"))[0] < 1000 else ">"
    try:
        kind, rows, columns, imaginary, n_name = struct.unpack(f"{order}5i", content[:20])
        name, data = content[20 : 20 + n_name], content[20 + n_name :]
        floats = np.dtype(_FLOATS[kind])
        values = np.frombuffer(data[: rows * columns * floats.itemsize], dtype=floats)
        if imaginary or len(name) != n_name or values.size != rows * columns or min(rows, columns) < 0:
            raise ValueError
        return (name.rstrip(b"\0").decode("ascii"), values.astype(np.float64)), data[values.nbytes :]
    except (struct.error, KeyError, ValueError) as error:
        raise InputError("expected a MATLAB 4 file of two real vectors, got another") from error
