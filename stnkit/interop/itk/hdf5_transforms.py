"""ITK's transforms in HDF5 files."""

from stnkit.errors import InputError
from stnkit.interop.itk.chain import chain_of
from stnkit.interop.itk.hdf5_datasets import Dataset
from stnkit.interop.itk.hdf5_objects import Objects
from stnkit.interop.itk.transform import COMPOSITE, Chain, of_type_name

GROUP, TYPE = "TransformGroup", "TransformType"
# ITK before version 5 wrote the names without an s.
PARAMETERS = ("TransformParameters", "TranformParameters")
FIXED = ("TransformFixedParameters", "TranformFixedParameters")


def chain_of_hdf5(content: bytes) -> Chain:
    """The transforms of an .h5 file, of which the last acts first.

    Args:
        content: of the file.

    Raises:
        InputError: when it is no such file, is damaged or cut short, or of a form that only the HDF5 library reads.
    """
    objects = Objects(content)
    root = objects.members(objects.root)
    if GROUP not in root:
        raise InputError(f"expected the group {GROUP}, got {', '.join(root) or 'an empty file'}")
    groups = objects.members(root[GROUP])
    if not groups or not all(name.isdecimal() for name in groups):
        raise InputError(f"expected numbered transforms in {GROUP}, got {', '.join(groups) or 'none'}")
    found = []
    for number in sorted(groups, key=int):
        datasets = objects.members(groups[number])
        if TYPE not in datasets:
            raise InputError(f"transform {number}: expected its {TYPE}, got {', '.join(datasets) or 'nothing'}")
        name = Dataset(objects, TYPE, datasets[TYPE]).text()
        # A composite has no values of its own, and its transforms follow it.
        if not name.startswith(COMPOSITE):
            values = (_vector(objects, number, datasets, names) for names in (PARAMETERS, FIXED))
            found.append(of_type_name(name, *values))
    return chain_of(found)


def _vector(objects: Objects, number: str, datasets: dict[str, int], names: tuple[str, ...]) -> list[float]:
    known = [name for name in names if name in datasets]
    if not known:
        raise InputError(f"transform {number}: expected its {names[0]}, got {', '.join(datasets)}")
    vector: list[float] = Dataset(objects, known[0], datasets[known[0]]).vector().tolist()
    return vector
