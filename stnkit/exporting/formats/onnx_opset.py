"""Opsets of ONNX below the one that PyTorch translates to."""

import onnx
from onnx import ModelProto

from stnkit.errors import InputError
from stnkit.exporting.program import reason

# GridSample came with opset 16, and reads volumes from 20 on. PyTorch translates to 18 and later ones.
LOWEST, LOWEST_3D, TRANSLATED = 16, 20, 18


def highest_opset() -> int:
    """The newest opset that the installed onnx knows."""
    return onnx.defs.onnx_opset_version()


def lowered(model: ModelProto, opset: int) -> ModelProto:
    """The model at a lower opset, or itself.

    Args:
        model: at opset 18 or later.
        opset: at least 16.

    Raises:
        InputError: when an operator of the model has no counterpart there.
    """
    if opset >= TRANSLATED:
        return model
    _old_reductions(model)
    try:
        return onnx.version_converter.convert_version(model, opset)
    except RuntimeError as error:
        raise InputError(f"expected an opset that holds the graph, got {opset}: {reason(error)}") from error


def _old_reductions(model: ModelProto) -> None:
    """Prepare reductions for the converter: axes from constants, not initializers, and no attribute that came later."""
    graph = model.graph
    for node in graph.node:
        if node.op_type.startswith("Reduce") and node.op_type != "ReduceSum":
            later = [each for each in node.attribute if each.name == "noop_with_empty_axes" and not each.i]
            for each in later:
                node.attribute.remove(each)
    initializers = {each.name: each for each in graph.initializer}
    axes = {node.input[1] for node in graph.node if node.op_type.startswith("Reduce") and len(node.input) > 1}
    nodes = [
        onnx.helper.make_node("Constant", [], [name], value=initializers[name])
        for name in sorted(axes & {*initializers})
    ]
    kept = [each for name, each in initializers.items() if name not in axes]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    for node in reversed(nodes):
        graph.node.insert(0, node)
