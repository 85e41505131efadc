"""A trained run as an exported file, and the outputs with which such a file is compared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.errors import InputError, StnkitError, retold
from stnkit.experiments.data.recorded import RecordedDataset
from stnkit.experiments.placement import reads_pairs
from stnkit.experiments.run_directory.config_in_json import config_as_json
from stnkit.experiments.trained_run import TrainedRun, load_run
from stnkit.exporting.export import Exported, eager, export
from stnkit.exporting.outputs import WARPED
from stnkit.exporting.reference import N_IMAGES, Reference

NETWORK, TRANSFORMER = "network", "transformer"
PARTS = (NETWORK, TRANSFORMER)


class _Part(NamedTuple):
    name: str
    module: nn.Module
    output: str
    images: Float[Tensor, "B C *size"]


def export_run(
    run_dir: Path, path: Path, part: str | None = None, dataset: Mapping[str, Any] | None = None, **options: Any
) -> Exported:
    """Export the network of a run, or its transformer, and compare the file with it on test images.

    The metadata have the part, the run directory as it is given, the names of the classes, the range of the values of
    images (None for datasets of floating-point images), True for pairs, and the config of the transform.

    Args:
        run_dir: of a run with a checkpoint.
        path: of the new file.
        part: network, the default, or transformer, the default of a run without a network.
        dataset: options of the dataset that differ on this machine, such as its root.
        options: of `stnkit.export`.

    Raises:
        InputError: when the run does not have the part, and as `stnkit.export`.
        DataError: when the test images are not there.
    """
    run = load_run(run_dir, dataset=dataset)
    chosen = _part(run, run_dir, part)
    return export(
        chosen.module,
        chosen.images,
        path,
        output=chosen.output,
        metadata={"part": chosen.name, "run": str(run_dir), **_described(run)},
        **options,
    )


def reference_of_run(run_dir: Path, metadata: Mapping[str, Any], dataset: Mapping[str, Any] | None = None) -> Reference:
    """The outputs of a run for test images, with which a file that was exported from it is compared.

    Args:
        run_dir: of the run.
        metadata: of the file.
        dataset: options of the dataset that differ on this machine.

    Raises:
        InputError: when the file was exported from no run, or the run is another one.
    """
    if metadata.get("part") not in PARTS:
        raise InputError("expected a file that was exported from a run, got one of `stnkit.export`")
    run = load_run(run_dir, dataset=dataset)
    chosen = _part(run, run_dir, metadata["part"])
    shape = list(chosen.images.shape[1:])
    if shape != metadata["input"]["shape"]:
        raise InputError(
            f"{run_dir}: expected the run that the file was exported from, with images of shape "
            f"{metadata['input']['shape']}, got one with {shape}"
        )
    return eager(chosen.module, chosen.images, chosen.output, half=metadata["input"]["dtype"] == "float16")[1]


def _part(run: TrainedRun, run_dir: Path, part: str | None) -> _Part:
    gives_image = run.network.network.gives_image
    part = part or (TRANSFORMER if gives_image else NETWORK)
    transformer = run.network.transformer
    if part == NETWORK and gives_image:
        raise InputError(f"{run_dir}: expected a run with a network for the part network, got one with a transformer")
    if part == TRANSFORMER and transformer is None:
        raise InputError(
            f"{run_dir}: expected a run with a transformer at its input for the part transformer, got none"
        )
    try:
        test = run.data.fixed("test")
    except StnkitError as error:
        if isinstance(run.data.dataset, RecordedDataset):
            retold(error, f"{error}; stnkit export --root DIR says where they are now")
        raise
    images = test.rows(slice(min(N_IMAGES, len(test.labels)))).images.float()
    run.network.float()  # a run in float64
    if part == NETWORK:
        return _Part(part, run.network, "logits", images)
    assert transformer is not None
    return _Part(part, transformer, WARPED, images)


def _described(run: TrainedRun) -> dict[str, Any]:
    names = run.data.dataset.class_names
    of_bytes = run.data.split("test")[0].dtype == torch.uint8
    return {
        "classes": None if names is None else list(names),
        "value_range": [0.0, 1.0] if of_bytes else None,
        "pair": reads_pairs(run.network),
        "transform": config_as_json(run.config["transform"]),
    }
