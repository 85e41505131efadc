"""The class of a module that a spatial transformer stands in front of.

The transformer is part of what the module is: compilers guard on its class, tracers and exporters run its `forward`.
A hook, which belongs to the object, is lost by each of them.
"""

import functools
import inspect
import types
from collections.abc import Callable
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


def transformed(cls: type[nn.Module]) -> type[nn.Module]:
    """The subclass whose forward is image, … ↦ cls.forward(spatial_transformer(image), …); one while it is in use.

    Args:
        cls: of the host.
    """
    # Found by `cls`, which refers to it weakly: what refers to both would keep classes alive that nobody has any more.
    for derived in type.__subclasses__(cls):
        if _MARK in vars(derived):
            return derived
    found = inspect.getattr_static(cls, "forward")
    is_method = inspect.isfunction(found)
    takes_no_host = isinstance(found, staticmethod | classmethod) or not hasattr(type(found), "__get__")
    # As of no host in particular.
    signature = _signature(functools.partial(_bound_forward, cls, object()))
    name = _first_name(signature)

    def forward(self: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = _with_warped(self, name, args, kwargs)
        # Not by `super`: a wrapper may keep this method of a host that has its own class back.
        if is_method:
            return cls.forward(self, *args, **kwargs)
        # The compiler can bind none of the others.
        return (cls.forward if takes_no_host else _bound_forward(cls, self))(*args, **kwargs)

    def __reduce_ex__(self: nn.Module, protocol: Any) -> Any:  # noqa: N807
        if type(self) is not derived:  # of a class that somebody derived from this one
            return super(derived, self).__reduce_ex__(protocol)
        # By the host's own class, which pickle finds by its name.
        return _remade, (cls,), self.__getstate__()  # type: ignore[no-untyped-call]

    functools.update_wrapper(forward, cls.forward, updated=("__dict__",) if is_method else ())
    if not is_method:
        del forward.__wrapped__  # type: ignore[attr-defined]
        host = inspect.Parameter("_host", inspect.Parameter.POSITIONAL_ONLY)
        if signature is not None:
            forward.__signature__ = signature.replace(parameters=[host, *signature.parameters.values()])  # type: ignore[attr-defined]
    members = {
        _MARK: True,
        "forward": forward,
        "__reduce_ex__": __reduce_ex__,
        "__module__": __name__,
        "__doc__": cls.__doc__,
    }
    with renames_collected():  # a host may be a contract, whose `forward` is final
        derived = types.new_class(f"Transformed{cls.__name__}", (cls,), exec_body=lambda body: body.update(members))
    return derived


def image_name(host: nn.Module) -> str | None:
    """The name by which a module may be called with its first argument, or None if it has none.

    Args:
        host: the module behind a transformer.
    """
    return _first_name(_signature(lambda: host.forward))


def release(host: nn.Module) -> None:
    """Give a host whose transformer was deleted its own class and `forward` back, so that another one can be inserted.

    Args:
        host: a module without a transformer.
    """
    if isinstance(host, fx.GraphModule):
        for node in host.graph.find_nodes(op="call_module", target=CHILD):
            node.replace_all_uses_with(node.args[0])
            host.graph.erase_node(node)
        host.recompile()
        return
    derived = _class_of(host)
    if _MARK not in vars(derived):
        return
    _set_class(host, derived.__base__)
    own = vars(host).get("forward")
    if isinstance(own, functools.partial) and own.func is _transformed_call:
        host.forward = own.args[1]


def check_host(host: nn.Module) -> None:
    """Nothing for a module whose class can be derived from.

    Args:
        host: the module behind a transformer.

    Raises:
        InputError: when its class refuses a subclass.
    """
    if isinstance(host, fx.GraphModule):  # which gets a node, and keeps its class
        return
    cls = _class_of(host)
    try:
        transformed(cls)
    except Exception as error:
        raise InputError(f"a {cls.__name__} cannot have a transformer in front of it: {one_line(error)}") from error


def _remade(cls: Any) -> nn.Module:
    made: nn.Module = object.__new__(transformed(cls))
    return made


def _class_of(host: nn.Module) -> Any:
    cls: Any = type(host)
    # Below the class that torch has made for this module alone, and removes with its parametrizations.
    return cls.__bases__[0] if parametrize.is_parametrized(host) else cls


def _set_class(host: nn.Module, cls: Any) -> None:
    if parametrize.is_parametrized(host):
        made: Any = type(host)
        made.__bases__ = (cls,)
    else:
        host.__class__ = cls


def _transform(host: nn.Module) -> None:
    _set_class(host, transformed(_class_of(host)))
    own = vars(host).get("forward")
    if own is not None:  # of the object, where it hides that of the class
        name = _first_name(_signature(lambda: own))
        host.forward = functools.partial(_transformed_call, host, own, name)


def _bound_forward(cls: type[nn.Module], host: Any) -> Any:
    """`forward` of a class as Python gives it for a host: of a static method or an object, without the host."""
    found = inspect.getattr_static(cls, "forward")
    return found.__get__(host, cls) if hasattr(type(found), "__get__") else found


def _transformed_call(host: nn.Module, forward: Any, name: str | None, /, *args: Any, **kwargs: Any) -> Any:
    args, kwargs = _with_warped(host, name, args, kwargs)
    return forward(*args, **kwargs)


def _signature(find_forward: Callable[[], Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(find_forward())
    except Exception:  # of a function that is not Python's, or that only a whole host has
        return None


def _first_name(signature: inspect.Signature | None) -> str | None:
    first = [] if signature is None else list(signature.parameters.values())[:1]
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return first[0].name if first and first[0].kind in named else None


def _with_warped(
    host: nn.Module, name: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if args:
        return (_warped(host, args[0]), *args[1:]), kwargs
    if name is None:
        raise InputError(f"the module behind a transformer: expected an image by position, got keywords {[*kwargs]}")
    # Without an image the host has its default for it, or Python names what is missing.
    return args, kwargs | {name: _warped(host, kwargs[name])} if name in kwargs else kwargs


def _warped(host: nn.Module, image: Any) -> Any:
    transformer = host._modules.get(CHILD)
    if transformer is None:  # deleted, or the host was made anew by its class
        return image
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
    # A container holds or calls its children by itself.
    if type(module) is nn.Module or isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        return
    of_torch = type(module).__module__.startswith("torch.nn.")
    if of_torch or isinstance(module, nn.SyncBatchNorm):
        _transform(module)


register_module_module_registration_hook(_follow_conversion)
