"""Queries about who is running the program: every use of torch's private API in the core is here.

There is no public way to ask whether a tensor is fake, whether a functorch level or forward-mode AD is active, or
whether a module has hooks, nor to step out of functorch's interpreters. Each name below is used in one function, with
the public behavior it stands for.
"""

import contextlib
import math
import weakref
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch._guards import detect_fake_mode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.nn.modules.module import _has_any_global_hook
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import _disable_current_modes, is_in_torch_dispatch_mode

Made = TypeVar("Made", Tensor, tuple[Tensor, ...])


def is_traced() -> bool:
    """True while tensors are symbolic or fake, so that nothing may be read from a cache or written to it."""
    if torch.compiler.is_compiling():
        return True
    # Tested first because it is cheap: FLOP counters are dispatch modes too, over real tensors.
    return is_in_torch_dispatch_mode() and detect_fake_mode() is not None


def has_tracer() -> bool:
    """True while any tracer follows the operations: values are hidden, or other ones will take their place."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return True
    # `make_fx` records real tensors too, in its mode "real".
    return is_in_torch_dispatch_mode() and (get_proxy_mode() is not None or detect_fake_mode() is not None)


def values_are_readable(entries: Tensor) -> bool:
    """True where reading values costs next to nothing: on the CPU, outside of any trace.

    On an accelerator it would synchronize, and under a tracer there are no values, or other ones later. To try is no
    test: a fake tensor may return a symbol for its value.
    """
    return entries.is_cpu and not has_tracer()


def known_within(entries: Tensor, limit: float) -> bool:
    """True if all entries are read and within ± limit; False where they may not be read."""
    if not values_are_readable(entries):
        return False
    try:
        read = entries.detach() if entries.requires_grad else entries
        return torch.linalg.vector_norm(read, math.inf).item() <= limit
    except RuntimeError:
        return False  # under vmap, and for no entries at all


def read_mask(mask: Tensor) -> list[bool] | None:
    """The entries of a mask of one axis, also of one on an accelerator; None under a tracer or vmap."""
    if has_tracer():
        return None
    try:
        entries: list[bool] = mask.tolist()
    except RuntimeError:
        return None  # under vmap, and for meta tensors
    return entries


# The last grid of a family, weakly, its version and True within the warp that it was made for: to look at all points
# would double the time of a small warp.
_noted: tuple["weakref.ref[Tensor]", int, bool] | None = None
# In place of the version that an inference tensor lacks.
_UNKNOWN = -1


def note_bounded(grid: Tensor) -> Tensor:
    """The grid, of which `is_noted` tells within its warp that all coordinates are finite and bounded."""
    global _noted
    if not torch.compiler.is_compiling():
        _noted = weakref.ref(grid), _version(grid), False
    return grid


def is_noted(grid: Tensor) -> bool:
    """True within a warp for the tensor that was noted last; another grid in between costs no more than a check."""
    if torch.compiler.is_compiling():
        return False
    noted = _noted
    return noted is not None and noted[2] and noted[0]() is grid and noted[1] == _version(grid)


def begin_warp(grid: Tensor) -> None:
    """Until `end_warp` let `is_noted` hold for the grid, if it was noted last: a Sampler does not change it.

    Outside of a warp it may have been changed without a new version, as by the array of NumPy that shares its memory.
    """
    global _noted
    noted = _noted  # another thread may replace it
    if noted is not None and noted[0]() is grid:
        _noted = *noted[:2], True


def end_warp() -> None:
    """Let `is_noted` hold no longer for the grid of `begin_warp`."""
    global _noted
    noted = _noted
    if noted is not None and noted[2]:
        _noted = None


def _version(grid: Tensor) -> int:
    return _UNKNOWN if grid.is_inference() else grid._version


def is_transformed() -> bool:
    """True under torch.func or forward-mode AD, where a Python autograd function needs rules of its own."""
    return torch._C._functorch.maybe_current_level() is not None or forward_ad._current_level >= 0


# torch.compile enters the levels while it traces, and guards on them, but it cannot trace the question.
is_transformed._dynamo_marked_constant = True  # type: ignore[attr-defined]


def is_plain_eager() -> bool:
    """True where an operation runs at once on the memory of plain tensors: no tracer, transform or mode is active.

    A default device that is a CPU is no such mode: it changes no operation on tensors of the CPU.
    """
    return not (
        torch.compiler.is_compiling()
        or torch._C._len_torch_dispatch_stack()
        or (torch._C._len_torch_function_stack() and not _modes_are_default_cpus())
        or is_transformed()
        or torch._C._get_tracing_state() is not None
    )


def _modes_are_default_cpus() -> bool:
    modes = (torch._C._get_function_stack_at(level) for level in range(torch._C._len_torch_function_stack()))
    return all(type(mode) is DeviceContext and mode.device.type == "cpu" for mode in modes)


def is_dual() -> bool:
    """True at a level of forward-mode AD, for which an operation of torch may have no rule.

    Example:
        >>> import torch
        >>> levels = []
        >>> _ = torch.func.jvp(lambda x: [levels.append(is_dual()), x][1], (torch.ones(1),), (torch.ones(1),))
        >>> levels, is_dual()
        ([True], False)
    """
    return forward_ad._current_level >= 0


is_dual._dynamo_marked_constant = True  # type: ignore[attr-defined]


def is_dual_twice() -> bool:
    """True in a torch.func.jvp of another: the `jvp` of an autograd.Function loses the outer tangent without an error.

    Example:
        >>> import torch
        >>> levels, one = [], torch.ones(1)
        >>> inner = lambda x: torch.func.jvp(lambda y: [levels.append(is_dual_twice()), y][1], (x,), (one,))[1]
        >>> _ = inner(one), torch.func.jvp(inner, (one,), (one,))
        >>> levels
        [False, True]
    """
    if not is_dual():
        return False
    levels = torch._C._functorch.get_interpreter_stack() or []
    return sum(level.key() == torch._C._functorch.TransformType.Jvp for level in levels) > 1


def has_hooks(module: nn.Module) -> bool:
    """True if a call of the module does more than its `forward`: hooks, of its own or global, or a compiled call."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or module._compiled_call_impl is not None
        or _has_any_global_hook()  # type: ignore[no-untyped-call]
    )


def has_weights(module: nn.Module) -> bool:
    """True if the module or a part of it has a parameter or a buffer.

    In a tenth of the time that torch's iterators take, since every grid of a linear family asks.
    """
    for own in (module._parameters, module._buffers):
        for tensor in own.values():
            if tensor is not None:
                return True
    return any(has_weights(part) for part in module._modules.values() if part is not None)


def needs_gradient(*tensors: Tensor) -> bool:
    """True if an operation on the tensors may be differentiated, so that it must not run in place."""
    # `requires_grad` is not reliable under vmap or forward-mode AD: assume a gradient is needed.
    if is_transformed():
        return True
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def exports_constants(*arguments: object) -> bool:
    """True where torch.export records, and these sizes, dtypes and devices are known: what depends on them is constant.

    Args:
        arguments: at any depth of tuples and lists.
    """
    # Under its option `strict` a tracer reads this code, and would follow it into the context below.
    if not torch.compiler.is_exporting() or torch.compiler.is_dynamo_compiling():
        return False
    return not any(
        (isinstance(entry, tuple | list) and not exports_constants(*entry)) or isinstance(entry, torch.SymInt)
        for entry in arguments
    )


def exported_constant(make: Callable[[], Made]) -> Made:
    """The result of a function of known arguments, as a constant of the program that torch.export records.

    Its operations are not recorded: the program has less to do, and needs none that its runtime may lack.

    Args:
        make: returns one tensor or several, made of no parameter, buffer or input of the program.
    """
    with _disable_current_modes():
        return make()


@contextlib.contextmanager
def plain_tensors() -> Iterator[None]:
    """A context in which new tensors are plain ones without a gradient, fit to be cached."""
    # Inference tensors cannot be saved for backward, functorch wrappers must not outlive their transform, and what
    # torch.jit traces would be a constant of the next trace only.
    with torch.inference_mode(False), torch.no_grad(), torch._C._DisableFuncTorch(), _not_traced():
        yield


@contextlib.contextmanager
def _not_traced() -> Iterator[None]:
    state = torch._C._get_tracing_state()
    if state is None:
        yield
        return
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch._C._set_tracing_state(state)  # type: ignore[attr-defined]
