"""torch.export for batches of any size, quietly."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.errors import ExportError, StnkitError, first_line
from stnkit.insertion.find import find_transformers
from stnkit.logging_levels import quieter

# Loggers that tell the developers of an exporter what it does.
_LOGGERS = ("torch", "onnxscript", "onnx_ir")
# In torch's message, of some lines, about len() of a batch and the like.
_CONSTANT = "Constraints violated (batch)"


def exported_program(module: nn.Module, image: Float[Tensor, "B C *size"]) -> torch.export.ExportedProgram:
    """The program of a module for batches of any size from 1 on, without gradients.

    Args:
        module: in evaluation mode.
        image: two or more images; the program holds zeros in their place.

    Raises:
        ExportError: when torch.export cannot trace the module.
    """
    # Not real images: a saved program holds its example.
    example = torch.zeros_like(image)
    batch = torch.export.Dim("batch", min=1)
    try:
        # Without gradients: a sampler that is sampled more often in training would carry that along.
        with torch.no_grad(), quiet():
            return torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
    except StnkitError:
        raise
    except Exception as error:
        told = "its code takes the batch for a constant" if _CONSTANT in str(error) else reason(error)
        raise ExportError(f"cannot be traced by torch.export: {told}") from error


def described(module: nn.Module) -> str:
    """The families of a module's transformers, or its class, for a message.

    Args:
        module: a network or a transformer.
    """
    families = sorted({type(each.family).__name__ for each in find_transformers(module).values()})
    return f"a network with the transform {' and '.join(families)}" if families else type(module).__name__


def reason(error: BaseException) -> str:
    """The first line of the innermost error, which the wrappers around it only repeat.

    Args:
        error: of an exporter.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error).rstrip(".")


def calls_stnkit(program: torch.export.ExportedProgram) -> list[str]:
    """The operators of stnkit in a program, which need stnkit where it runs.

    Args:
        program: of a network.
    """
    nodes = program.graph.nodes
    return sorted({"::".join(str(n.target).split(".")[:2]) for n in nodes if str(n.target).startswith("stnkit.")})


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """A context in which exporters do not tell their developers' warnings."""
    # An exporter prints the program that it could not translate.
    nowhere = io.StringIO()
    with (
        quieter(logging.CRITICAL, *_LOGGERS),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        warnings.simplefilter("ignore")
        yield
