"""The flow as operators, which torch.compile keeps whole: `stnkit::flow` and `stnkit::flow_backward`.

The number of pieces of a trajectory depends on values, so that no tracer can follow it, and vmap neither.
"""

import functools
from typing import Any

import torch
from torch import Tensor

from stnkit.families.flows.solution import Start, derived, solved
from stnkit.families.flows.tessellation import Tessellation, tessellation_of
from stnkit.families.nested_batches import as_one_batch
from stnkit.families.tracing import is_dual, is_transformed

_NO_FORWARD_MODE = "stnkit::flow: expected no level of forward-mode AD, for which it has no rule"


def flowed(coefficients: Tensor, points: Tensor, tessellation: Tessellation) -> Tensor:
    """The points at time 1, (B, N, 2), as one operator.

    Args:
        coefficients: of the fields in each region, (B, R, 6).
        points: at time 0, (B or 1, N, 2).
        tessellation: with the regions.
    """
    options = tessellation.rows, tessellation.columns
    # A compiler does not follow the functions below, and differentiates the operator itself.
    if is_transformed() and not torch.compiler.is_compiling():
        transformed: Tensor = _Flowed.apply(coefficients, points, *options)  # type: ignore[no-untyped-call]
        return transformed
    made: Tensor = torch.ops.stnkit.flow(coefficients, points, *options)
    return made


def _forward(coefficients: Tensor, points: Tensor, rows: int, columns: int) -> Tensor:
    _refuse_forward_mode()
    tessellation = tessellation_of(rows, columns)
    return solved(coefficients, Start(points, *tessellation.locate(points)), tessellation).contiguous()


def _backward(gradient: Tensor, coefficients: Tensor, points: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    _refuse_forward_mode()
    tessellation = tessellation_of(rows, columns)
    start = Start(points, *tessellation.locate(points))
    to_coefficients, to_points = derived(coefficients, start, tessellation, gradient, True)
    assert to_points is not None
    return to_coefficients.contiguous(), to_points.contiguous()


def _forward_shape(coefficients: Tensor, points: Tensor, rows: int, columns: int) -> Tensor:
    return points.new_empty(coefficients.shape[0], points.shape[1], 2)


def _backward_shape(
    gradient: Tensor, coefficients: Tensor, points: Tensor, rows: int, columns: int
) -> tuple[Tensor, Tensor]:
    return coefficients.new_empty(coefficients.shape), points.new_empty(points.shape)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    coefficients, points, ctx.rows, ctx.columns = inputs
    ctx.save_for_backward(coefficients, points)


def _differentiate(flow_backward: Any, ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    found = flow_backward(gradient, *ctx.saved_tensors, ctx.rows, ctx.columns)
    wanted = (t if needed else None for t, needed in zip(found, ctx.needs_input_grad[:2], strict=True))
    return *wanted, None, None


def _refuse_second(ctx: Any, *gradients: Tensor) -> Any:
    raise NotImplementedError(
        "stnkit::flow: expected one derivative, got a second one: take it outside of the program and of vmap"
    )


class _Flowed(torch.autograd.Function):
    """The operator under transforms of torch.func, which ask for more than the derivative of an operator has."""

    @staticmethod
    def forward(coefficients: Tensor, points: Tensor, rows: int, columns: int) -> Tensor:
        made: Tensor = torch.ops.stnkit.flow(coefficients, points, rows, columns)
        return made

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _setup_context(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _differentiate(_FlowedBackward.apply, ctx, gradient)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        raise NotImplementedError(_NO_FORWARD_MODE)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
        return _batched_forward(_Flowed.apply, info, in_dims, *arguments)


class _FlowedBackward(torch.autograd.Function):
    """The gradients of the operator under transforms of torch.func."""

    @staticmethod
    def forward(
        gradient: Tensor, coefficients: Tensor, points: Tensor, rows: int, columns: int
    ) -> tuple[Tensor, Tensor]:
        made: tuple[Tensor, Tensor] = torch.ops.stnkit.flow_backward(gradient, coefficients, points, rows, columns)
        return made

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Nothing: there is no second derivative."""

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _refuse_second(ctx, *gradients)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        raise NotImplementedError(_NO_FORWARD_MODE)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
        return _batched_backward(_FlowedBackward.apply, info, in_dims, *arguments)


def _batched_forward(
    flow: Any, info: Any, in_dims: tuple[Any, ...], coefficients: Tensor, points: Tensor, rows: int, columns: int
) -> Any:
    flat = as_one_batch(info.batch_size, in_dims, coefficients, points)
    return flow(*flat, rows, columns).unflatten(0, (info.batch_size, -1)), 0


def _batched_backward(
    flow_backward: Any,
    info: Any,
    in_dims: tuple[Any, ...],
    gradient: Tensor,
    coefficients: Tensor,
    points: Tensor,
    rows: int,
    columns: int,
) -> Any:
    shared = points.shape[in_dims[2] is not None] == 1
    flat = as_one_batch(info.batch_size, in_dims, gradient, coefficients, points)
    found = flow_backward(*flat, rows, columns)
    first, second = (t.unflatten(0, (info.batch_size, -1)) for t in found)
    return (first, second.sum(dim=1, keepdim=True) if shared else second), (0, 0)


def _refuse_forward_mode() -> None:
    # Below the level of autograd a tangent would be lost without a word.
    if is_dual():
        raise NotImplementedError(_NO_FORWARD_MODE)


def _define() -> None:
    library = torch.library
    if hasattr(torch.ops.stnkit, "flow"):  # this module was imported before in this process, as by a reload
        return
    options = "int rows, int columns"
    library.define("stnkit::flow", f"(Tensor coefficients, Tensor points, {options}) -> Tensor")
    library.define(
        "stnkit::flow_backward",
        f"(Tensor gradient, Tensor coefficients, Tensor points, {options}) -> (Tensor, Tensor)",
    )
    library.impl("stnkit::flow", "CompositeExplicitAutograd", _forward)
    library.impl("stnkit::flow_backward", "CompositeExplicitAutograd", _backward)
    library.register_fake("stnkit::flow", _forward_shape)
    library.register_fake("stnkit::flow_backward", _backward_shape)
    differentiate = functools.partial(_differentiate, torch.ops.stnkit.flow_backward)
    library.register_autograd("stnkit::flow", differentiate, setup_context=_setup_context)
    library.register_autograd("stnkit::flow_backward", _refuse_second)
    library.register_vmap("stnkit::flow", functools.partial(_batched_forward, torch.ops.stnkit.flow))
    library.register_vmap("stnkit::flow_backward", functools.partial(_batched_backward, torch.ops.stnkit.flow_backward))


_define()
