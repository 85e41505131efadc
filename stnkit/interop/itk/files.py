"""Files of transforms that ITK, SimpleITK and ANTs read and write."""

import os
from typing import Any

from stnkit.errors import InputError
from stnkit.files.atomic import write_atomically
from stnkit.files.paths import as_path
from stnkit.interop.itk.chain import chain_of
from stnkit.interop.itk.hdf5 import Node, hdf5_bytes
from stnkit.interop.itk.hdf5_transforms import chain_of_hdf5
from stnkit.interop.itk.matlab_file import chain_of_mat, mat_bytes
from stnkit.interop.itk.text_file import chain_of_text, text_of
from stnkit.interop.itk.transform import COMPOSITE, Chain, type_name

TEXT, MATLAB, HDF5 = (".tfm", ".txt"), (".mat",), (".h5", ".hdf5")


def write(path: str | os.PathLike[str], transform: Any) -> None:
    """A file of a transform, for `SimpleITK.ReadTransform` and `ants.apply_transforms`.

    The suffix says the format: .tfm or .txt is text, .mat holds one transform, .h5 or .hdf5 any number. A file is whole
    or is not there.

    Args:
        path: of the file, in a folder that exists.
        transform: a `Transform`, a sequence of them of which the last acts first, or a transform of SimpleITK.

    Raises:
        InputError: for another suffix, for several transforms and .mat, or without the folder.

    Example:
        >>> import pathlib, tempfile, numpy as np
        >>> from stnkit.interop import itk
        >>> shift = itk.Transform("TranslationTransform", 2, np.array([3.0, 4.0]), np.array([]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     itk.write(f"{folder}/shift.tfm", shift)
        ...     print(pathlib.Path(folder, "shift.tfm").read_text())
        #Insight Transform File V1.0
        #Transform 0
        Transform: TranslationTransform_double_2_2
        Parameters: 3.0 4.0
        FixedParameters:
    """
    path, chain = as_path("path", path), chain_of(transform)
    suffix = path.suffix.lower()
    if suffix in TEXT:
        content = text_of(chain).encode()
    elif suffix in MATLAB:
        if len(chain) > 1:
            raise InputError(f"{path.name}: expected one transform in a .mat file, got {len(chain)}: use .tfm or .h5")
        content = mat_bytes(chain[0])
    elif suffix in HDF5:
        content = hdf5_bytes(_tree(chain))
    else:
        raise InputError(f"{path.name}: expected a name in {', '.join((*TEXT, *MATLAB, *HDF5))}, got {suffix!r}")
    if not path.parent.is_dir():
        raise InputError(f"{path}: expected a folder that exists, got {path.parent}")
    write_atomically(path, content)


def read(path: str | os.PathLike[str]) -> Chain:
    """The transforms of a .tfm, .txt, .mat, .h5 or .hdf5 file, of which the last acts first.

    Args:
        path: of the file.

    Raises:
        InputError: when there is no such file, it is cut short or of another format, such as an .h5 file with other
            filters than deflate and shuffle; `theta_of_transforms` also takes the transform that SimpleITK reads.

    Example:
        >>> import tempfile, numpy as np
        >>> from stnkit.interop import itk
        >>> shift = itk.Transform("TranslationTransform", 2, np.array([3.0, 4.0]), np.array([]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     itk.write(f"{folder}/shift.mat", shift)
        ...     itk.read(f"{folder}/shift.mat")[0].parameters.tolist()
        [3.0, 4.0]
    """
    path = as_path("path", path)
    suffix = path.suffix.lower()
    if suffix not in (*TEXT, *MATLAB, *HDF5):
        raise InputError(f"{path.name}: expected a .tfm, .txt, .mat or .h5 file, got {suffix!r}")
    try:
        content = path.read_bytes()
        if suffix in HDF5:
            return chain_of_hdf5(content)
        return chain_of_text(content.decode()) if suffix in TEXT else chain_of_mat(content)
    except OSError as error:
        raise InputError(f"{path}: expected a file, got {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: expected a text file, got other bytes") from error
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error


def _tree(chain: Chain) -> dict[str, Node]:
    """ITK's layout: /TransformGroup/N holds the type and the parameters, and 0 the composite, if it is one."""
    groups: list[dict[str, Node]] = [
        {
            "TransformType": each.type_name,
            "TransformFixedParameters": each.fixed_parameters,
            "TransformParameters": each.parameters,
        }
        for each in chain
    ]
    if len(chain) > 1:
        groups.insert(0, {"TransformType": type_name(COMPOSITE, chain[0].ndim)})
    return {"TransformGroup": {str(index): group for index, group in enumerate(groups)}}
