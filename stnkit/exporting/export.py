"""`stnkit.export`: a network or a transformer as a file that runs without stnkit, compared with what it computes."""

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.coordinates import check_is_tensor
from stnkit.errors import ExportError, InputError, StnkitError, one_line
from stnkit.exporting.formats import Contents, format_named, format_of
from stnkit.exporting.half import in_half
from stnkit.exporting.metadata import encoded
from stnkit.exporting.new_file import check_new, new_files
from stnkit.exporting.outputs import IMAGE, THETA, WARPED, NamedOutputs, is_a
from stnkit.exporting.program import calls_stnkit, described, exported_program
from stnkit.exporting.proof import prove
from stnkit.exporting.reference import N_IMAGES, Reference, largest_differences
from stnkit.files.paths import as_path
from stnkit.transformer import ParallelTransformers, SpatialTransformer

REFERENCE_SUFFIX = ".reference.npz"


@dataclass(frozen=True)
class Exported:
    """A file that was exported.

    Args:
        path: of the file.
        format: onnx, torch or aoti.
        runtime: that ran the file for the proof, with its version.
        opset: of ONNX; None for other formats.
        outputs: the shape of each output by name, without the batch.
        differences: from PyTorch in eager mode, the largest of each output, and of the hidden ones of an ONNX file.
        rounding: with `half`, the largest difference of each output from the network in float32; else empty.
        notes: sentences for users of the file.
    """

    path: Path
    format: str
    runtime: str
    opset: int | None
    outputs: dict[str, tuple[int, ...]]
    differences: dict[str, float]
    rounding: dict[str, float]
    notes: tuple[str, ...]


def export(
    module: nn.Module,
    images: Float[Tensor, "B C *size"],
    path: str | os.PathLike[str],
    *,
    to: str | None = None,
    output: str | None = None,
    warped: bool = False,
    theta: bool = False,
    opset: int | None = None,
    half: bool = False,
    tolerance: float | None = None,
    metadata: Mapping[str, Any] | None = None,
    reference: bool = False,
) -> Exported:
    """Export a network or a transformer, and compare the file with it on images, in batches of 1, 3 and 5.

    The input is `image`, in batches of any size. A transformer gives `warped`, and a network `logits`; its warped image
    can be an output too, and so can θ, which shows what a picture may not: NaN. The difference is max |a − b| over
    max(1, max |b|). The file appears whole, after the comparison, or not at all.

    Args:
        module: a SpatialTransformer, or a network, such as `stnkit.load_run(…).network`, or one in which
            `stnkit.insert_transformers` inserted some; it does not change.
        images: real images, at least one, in float32, on which the file is compared.
        path: of the new file.
        to: "onnx", "torch" (`torch.export`) or "aoti" (AOTInductor); by default "torch" for a path with the suffix
            .pt2, and "onnx" for any other.
        output: name of the module's output; by default `warped` for a transformer and `logits` for a network.
        warped: True for the warped images of a network's transformers as outputs.
        theta: True for θ as an output.
        opset: of ONNX, at least 16, or 20 for volumes; by default 18, or 20.
        half: True for float16 weights and images; θ and the grid stay in float32.
        tolerance: the largest difference; by default 1e-4, or 1e-2 with `half`.
        metadata: JSON values that the file holds as `stnkit.NAME`, beside those of stnkit.
        reference: True to write PATH.reference.npz too: images with PyTorch's outputs, for checks elsewhere.

    Raises:
        InputError: for an unknown format, a suffix of another one, an opset that cannot hold the graph, a file that
            exists, a folder that does not, an output that the module does not have, names that are taken, or an
            argument of another type.
        NotInstalledError: when a library that the format needs is not installed.
        ExportError: when the module cannot be exported, or the file computes something else.

    Example:
        >>> import tempfile, torch, stnkit
        >>> transformer = stnkit.SpatialTransformer(
        ...     stnkit.build("localizer", "fully_connected", in_shape=(1, 28, 28)),
        ...     stnkit.build("transform", "affine"),
        ...     stnkit.build("sampler", "bilinear"),
        ... )
        >>> images = torch.rand(9, 1, 28, 28)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     exported = stnkit.export(transformer, images, f"{folder}/st.pt2", to="torch", theta=True)
        >>> exported.outputs, max(exported.differences.values()) < 1e-4
        ({'warped': (1, 28, 28), 'theta': (6,)}, True)
    """
    path = as_path("path", path)
    to = _checked_format(path, to, opset, tolerance, metadata)
    chosen = format_named(to)
    paths = [path, *([path.with_name(path.name + REFERENCE_SUFFIX)] if reference else [])]
    for each in paths:
        check_new(each)
    output = _checked_output(module, output)
    network, expected = eager(module, images, output, half=half)
    outputs = expected.outputs
    beside = [kind for kind, wanted in ((WARPED, warped), (THETA, theta)) if wanted]
    for kind in beside:
        if not any(is_a(kind, name) for name in outputs):
            raise InputError(f"expected a network with a transformer for the output {kind}, got {described(module)}")
    returned = [name for name in outputs if name == output or any(is_a(kind, name) for kind in beside)]
    hidden = [name for name in outputs if name not in returned] if chosen.expose else []
    described_file = _metadata(expected, returned, hidden)
    if taken := sorted({*described_file} & {*(metadata or {})}):
        raise InputError(f"metadata: expected names that stnkit does not write itself, got {taken[0]!r}")
    described_file |= dict(metadata or {})
    computed = tuple(name for name in outputs if name in (*returned, *hidden))  # the order of the program's
    contents = Contents(computed, tuple(hidden), encoded(described_file), opset)
    wrapped = NamedOutputs(network, output, (WARPED, THETA) if hidden else beside)
    with new_files(*paths) as temporary:
        try:
            program = exported_program(wrapped, torch.from_numpy(expected.images[:2]))
            written = chosen.write(program, contents, temporary[0])
        except ExportError as error:
            raise ExportError(f"{described(module)} {error}") from error
        limit = expected.tolerance if tolerance is None else tolerance
        differences = prove(chosen, temporary[0], contents, expected, limit)
        for file in temporary[1:]:
            expected.save(file)
    notes = [chosen.note, *(f"the file calls {name}: stnkit must be imported there" for name in calls_stnkit(program))]
    return Exported(
        path,
        to,
        chosen.runtime(),
        written,
        {name: outputs[name].shape[1:] for name in returned},
        differences,
        largest_differences(outputs, eager(module, images, output)[1], returned) if half else {},
        tuple(notes),
    )


def _checked_format(
    path: Path, to: str | None, opset: int | None, tolerance: float | None, metadata: Mapping[str, Any] | None
) -> str:
    """Name of the format, for which the options are checked."""
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InputError(f"metadata: expected a mapping of names to values, got {type(metadata).__name__}")
    if tolerance is not None and (not isinstance(tolerance, Real) or not tolerance >= 0):
        raise InputError(f"tolerance: expected a number of at least 0, got {tolerance!r}")
    to = format_of(path, to)
    if opset is not None and to != "onnx":
        raise InputError(f"opset: expected none, since the format {to} has no opset, got {opset}")
    if opset is not None and type(opset) is not int:
        raise InputError(f"opset: expected a whole number, got {opset!r}")
    return to


def _checked_output(module: nn.Module, output: str | None) -> str:
    """Name of the module's output, its default where none is given."""
    if not isinstance(module, nn.Module):
        raise InputError(f"module: expected a module of torch, got {type(module).__name__}")
    is_transformer = isinstance(module, SpatialTransformer | ParallelTransformers)
    if output is not None and not isinstance(output, str):
        raise InputError(f"output: expected a name, got {output!r}")
    output = output or (WARPED if is_transformer else "logits")
    if output == IMAGE or is_a(THETA, output) or (is_a(WARPED, output) and not is_transformer):
        raise InputError(f"output: expected a name that the input and θ and warped images do not have, got {output!r}")
    return output


def eager(
    module: nn.Module, images: Float[Tensor, "B C *size"], output: str, *, half: bool = False
) -> tuple[nn.Module, Reference]:
    """A copy of a module as it is exported, and its outputs in eager mode for nine images.

    Args:
        module: a network or a transformer.
        images: at least one, which are repeated.
        output: name of the module's output.
        half: True for float16.

    Raises:
        InputError: when the images are not (B, C, *size) in float32.
        ExportError: when the module cannot be copied or run on them, or an output cannot be read by NumPy or is not
            finite.
    """
    check_is_tensor("images", images)
    if images.dtype != torch.float32 or images.ndim not in (4, 5) or not len(images):
        shape, kind = list(images.shape), str(images.dtype).removeprefix("torch.")
        raise InputError(f"export: expected images (B, C, *size) in float32, at least one, got {shape} in {kind}")
    images = images[torch.arange(N_IMAGES) % len(images)].cpu()
    network = _tried(f"{described(module)} cannot be copied", lambda: copy.deepcopy(module).cpu().eval())
    if half:
        network, images = in_half(network), images.half()
    named = NamedOutputs(network, output)
    with torch.no_grad():
        values = _tried(f"{described(module)} cannot be run on the images", lambda: named(images))
        unreadable = f"the outputs of {described(module)} cannot be read by NumPy"
        outputs = _tried(unreadable, lambda: {name: value.numpy() for name, value in values.items()})
    return network, Reference(images.numpy(), outputs)


def _tried(failure: str, act: Callable[[], Any]) -> Any:
    """The value of a function; its error becomes an ExportError that begins with `failure`."""
    try:
        return act()
    except StnkitError:
        raise
    except Exception as error:
        raise ExportError(f"{failure}: {one_line(error)}") from error


def _metadata(reference: Reference, returned: list[str], hidden: list[str]) -> dict[str, Any]:
    images = reference.images
    return {
        "version": version("stnkit"),
        "input": {"name": IMAGE, "shape": list(images.shape[1:]), "dtype": str(images.dtype)},
        "outputs": {name: list(reference.outputs[name].shape[1:]) for name in returned},
        "hidden": hidden,
    }
