"""The class of a module that a spatial transformer stands in front of.

The transformer is part of what the module is: compilers guard on its class, tracers and exporters run its `forward`.
A hook, which belongs to the object, is lost by each of them.
"""

import functools
import types
from typing import Any

from torch import fx, nn
from torch.nn.modules.module import register_module_module_registration_hook
from torch.nn.utils import parametrize

from stnkit.errors import InputError, one_line
from stnkit.insertion.points import CHILD
from stnkit.renaming import renames_collected

# On classes of hosts, and on transformers that were inserted: a module of a user's own may have a child of that name.
_MARK = "_is_inserted"


def put_in_front(host: nn.Module, transformer: nn.Module) -> None:
    """Let a module that has the transformer as its child call it first, from now on.

    Args:
        host: the module behind the transformer; its class changes.
        transformer: from the host's first argument to what the host gets instead.
    """
    setattr(transformer, _MARK, True)
    if isinstance(host, fx.GraphModule):
        _put_into_graph(host)
    else:
        _transform(host)


@functools.cache
def transformed(cls: type[nn.Module]) -> type[nn.Module]:
    """The subclass whose forward is image, … ↦ cls.forward(spatial_transformer(image), …).

    Args:
        cls: of the host.
    """

    @functools.wraps(cls.forward)
    def forward(self: nn.Module, image: Any, /, *args: Any, **kwargs: Any) -> Any:
        return cls.forward(self, _warped(self, image), *args, **kwargs)

    def __reduce_ex__(self: nn.Module, protocol: Any) -> Any:  # noqa: N807
        # By the host's own class, which pickle finds by its name.
        return _remade, (cls,), self.__getstate__()  # type: ignore[no-untyped-call]

    members = {
        _MARK: True,
        "forward": forward,
        "__reduce_ex__": __reduce_ex__,
        "__module__": __name__,
        "__doc__": cls.__doc__,
    }
    with renames_collected():  # a host may be a contract, whose `forward` is final
        return types.new_class(f"Transformed{cls.__name__}", (cls,), exec_body=lambda body: body.update(members))


def check_host(host: nn.Module) -> None:
    """Nothing for a module whose class can be derived from.

    Args:
        host: the module behind a transformer.

    Raises:
        InputError: when its class refuses a subclass.
    """
    cls: Any = type(host)
    try:
        transformed(cls)
    except Exception as error:
        raise InputError(f"a {cls.__name__} cannot have a transformer in front of it: {one_line(error)}") from error


def _remade(cls: Any) -> nn.Module:
    made: nn.Module = object.__new__(transformed(cls))
    return made


def _transform(host: nn.Module) -> None:
    cls: Any = type(host)
    if parametrize.is_parametrized(host):
        # Below the class that torch has made for this module alone, and removes with its parametrizations.
        cls.__bases__ = (transformed(cls.__bases__[0]),)
    else:
        host.__class__ = transformed(cls)
    own = vars(host).get("forward")
    if own is not None:  # of the object, where it hides that of the class
        host.forward = functools.partial(_transformed_call, host, own)


def _transformed_call(host: nn.Module, forward: Any, image: Any, /, *args: Any, **kwargs: Any) -> Any:
    return forward(_warped(host, image), *args, **kwargs)


def _warped(host: nn.Module, image: Any) -> Any:
    transformer = getattr(host, CHILD)
    if isinstance(image, fx.Proxy) and isinstance(image.tracer, fx.Tracer):
        # One call in the graph: θ is no sequence of operations that a symbolic trace could follow.
        return image.tracer.create_proxy("call_module", image.tracer.path_of_module(transformer), (image,), {})
    return transformer(image)


def _put_into_graph(host: fx.GraphModule) -> None:
    placeholders = [node for node in host.graph.nodes if node.op == "placeholder"]
    with host.graph.inserting_after(placeholders[-1]):
        call = host.graph.call_module(CHILD, (placeholders[0],))
    placeholders[0].replace_all_uses_with(call, delete_user_cb=lambda user: user is not call)
    host.recompile()


def _follow_conversion(module: nn.Module, name: str, child: nn.Module | None) -> None:
    """Transform a module of torch to which a tool such as `convert_sync_batchnorm` gives the children of a host."""
    if name != CHILD or not getattr(child, _MARK, False) or getattr(type(module), _MARK, False):
        return
    of_torch = type(module).__module__.startswith("torch.nn.") and type(module) is not nn.Module
    if of_torch or isinstance(module, nn.SyncBatchNorm):
        _transform(module)


register_module_module_registration_hook(_follow_conversion)
