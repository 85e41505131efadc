"""ONNX: one file with the weights inside, for every runtime that reads the format."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import torch
from google.protobuf.message import EncodeError
from onnx import ModelProto

from stnkit.errors import ExportError, InputError
from stnkit.exporting.arrays import Run
from stnkit.exporting.formats import Contents
from stnkit.exporting.formats.onnx_opset import LOWEST, LOWEST_3D, TRANSLATED, highest_opset, lowered
from stnkit.exporting.onnx_file import OnnxFile
from stnkit.exporting.outputs import IMAGE
from stnkit.exporting.program import calls_stnkit, quiet, reason

NOTE = (
    "OpenVINO computes in bfloat16 by default on processors that have it, and no ONNX file can tell it not to: set "
    "INFERENCE_PRECISION_HINT to f32, or warped images can differ by a tenth of the contrast"
)
_BATCH = "batch"


def runtime() -> str:
    """The name and version of the program that runs a file for the proof."""
    return f"onnxruntime {version('onnxruntime')}"


def load(path: Path) -> Run:
    """The file as a function from images to outputs by name.

    Args:
        path: of the file.
    """
    from stnkit.exporting.runtimes import onnxruntime

    return onnxruntime.load(path)[""]


def write(program: torch.export.ExportedProgram, contents: Contents, path: Path) -> int:
    """Write a program as ONNX, and return its opset.

    Args:
        program: for images of two or three dimensions.
        contents: of the file.
        path: of the file.

    Raises:
        InputError: when the opset cannot hold the graph.
        ExportError: when an operator of the program has no translation.
    """
    (image,) = program.example_inputs[0] if program.example_inputs else (None,)
    lowest = LOWEST_3D if image is not None and image.ndim == 5 else LOWEST
    opset = contents.opset or max(lowest, TRANSLATED)
    if not lowest <= opset <= highest_opset():
        raise InputError(f"expected an opset from {lowest} to {highest_opset()}, got {opset}")
    if operators := calls_stnkit(program):
        raise ExportError(f"cannot be written as ONNX, which has no operator {' and '.join(operators)}")
    try:
        with quiet():
            exported: Any = torch.onnx.export(
                program,
                (),
                dynamo=True,
                opset_version=max(opset, TRANSLATED),
                input_names=[IMAGE],
                output_names=list(contents.outputs),
                verbose=False,
            )
            model = ModelProto()
            model.CopyFrom(exported.model_proto)
    except Exception as error:
        raise ExportError(f"cannot be written as ONNX: {reason(error)}") from error
    _remove_traces(model)
    _name_the_batch(model)
    model = lowered(model, opset)
    if (reached := _opset(model)) != opset:
        raise InputError(f"expected an opset that holds the graph, got {opset}: the graph needs {reached}")
    hide(model, contents.hidden)
    model.producer_name, model.producer_version = "stnkit", version("stnkit")
    onnx.helper.set_model_props(model, dict(contents.metadata))
    try:
        path.write_bytes(model.SerializeToString())
    except (ValueError, EncodeError) as error:  # of more than 2 GB
        raise ExportError(f"cannot be written as ONNX: {reason(error)}") from error
    return opset


def hide(model: ModelProto, names: tuple[str, ...]) -> None:
    """Turn outputs of a graph into values inside of it, which keep their names.

    Args:
        model: changed in place.
        names: of the outputs.
    """
    outputs = {output.name: output for output in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(output for name, output in outputs.items() if name not in names)
    model.graph.value_info.extend(outputs[name] for name in names)


def expose(path: Path, names: Sequence[str], copy: Path) -> None:
    """Write a copy of a file in which named values inside of the graph are outputs too, which come last.

    Args:
        path: of the file.
        names: of the values.
        copy: path of the copy.
    """
    OnnxFile(path).expose(names, copy)


def _opset(model: ModelProto) -> int:
    return next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _remove_traces(model: ModelProto) -> None:
    """Remove the paths and lines of source code that the exporter notes at every node and value."""
    graph = model.graph
    for entry in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        entry.ClearField("metadata_props")
        entry.ClearField("doc_string")


def _name_the_batch(model: ModelProto) -> None:
    """Give the batch its name, in place of the exporter's number of a symbol."""
    symbol = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:  # an expression, such as 2*s40
                dimension.dim_param = re.sub(rf"\b{symbol}\b", _BATCH, dimension.dim_param)
