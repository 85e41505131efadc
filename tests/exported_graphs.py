"""The operators of an exported graph that a runtime lacks or gets wrong."""

import warnings

import onnx
import torch

import stnkit

# MNN has neither. OpenVINO, tract and MNN refuse the circular mode of Pad.
MISSING = {"IsNaN", "IsInf"}
WIDER_OR_NARROWER = {onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}


def network(transform, sampler="bilinear", size=(9, 12), **options):
    """A transformer whose head is no longer the identity, and has an offset."""
    torch.manual_seed(0)
    family = stnkit.build("transform", transform)
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(2, *size))
    model = stnkit.SpatialTransformer(localizer, family, stnkit.build("sampler", sampler), **options).eval()
    with torch.no_grad():
        model.head.weight.normal_(std=0.05)
        model.head.offset.normal_(std=0.05)
    return model


def exported(model, arguments, path, **options):
    """The graph of a model in a file of ONNX."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(model, arguments, path, dynamo=True, verbose=False, **options)
    return onnx.load(path).graph


def unportable(graph):
    """The operators and patterns of a graph that fail elsewhere, in words: empty for a portable one."""
    found = [node.op_type for node in graph.node if node.op_type in MISSING]
    modes = [attribute.s for node in graph.node for attribute in node.attribute if node.op_type == "Pad"]
    return found + ["Pad wrap"] * (b"wrap" in modes) + _lost_biases(graph)


def _lost_biases(graph):
    """Linear → Cast → Add or Sub of a constant, of which OpenVINO 2026.4.1 loses the bias, reshaped or not."""
    makers = {name: node for node in graph.node for name in node.output}
    constants = {value.name for value in graph.initializer}
    constants |= {name for name, node in makers.items() if node.op_type == "Constant"}

    def maker(name):
        node = makers.get(name)
        return maker(node.input[0]) if node is not None and node.op_type == "Reshape" else node

    found = []
    for node in graph.node:
        if node.op_type not in ("Add", "Sub") or not constants & set(node.input):
            continue
        for cast in map(maker, set(node.input) - constants):
            if cast is not None and cast.op_type == "Cast" and cast.attribute[0].i in WIDER_OR_NARROWER:
                linear = maker(cast.input[0])
                if linear is not None and linear.op_type in ("Gemm", "Add"):
                    found.append(f"{linear.op_type} → Cast → {node.op_type}")
    return found
