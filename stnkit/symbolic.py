"""Modules that are one call in the graph of a symbolic trace."""

from typing import Any

from torch import fx, nn


def recorded_call(module: nn.Module, image: fx.Proxy) -> Any | None:
    """The call of a module as one node of the graph, or None in a trace of that module itself.

    θ is no sequence of operations that a symbolic trace could follow.

    Args:
        module: part of what is traced.
        image: its argument in the trace.
    """
    tracer = image.tracer
    if not isinstance(tracer, fx.Tracer) or tracer.root is module:
        return None
    return tracer.create_proxy("call_module", tracer.path_of_module(module), (image,), {})
