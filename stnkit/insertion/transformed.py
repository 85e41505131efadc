"""The class of a module that a spatial transformer stands in front of.

The transformer is part of what the module is: compilers guard on its class, tracers and exporters run its `forward`.
A hook, which belongs to the object, is lost by each of them.
"""

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, final

from torch import fx, nn
from torch.nn.modules.module import register_module_module_registration_hook

from stnkit.errors import InputError, one_line
from stnkit.insertion.points import CHILD
from stnkit.listed import with_article
from stnkit.renaming import renames_collected
from stnkit.symbolic import recorded_call

# On classes of hosts, and on their transformers: a module of a user's own may have a child of that name.
_MARK = "_is_inserted"
# On a host that has its own class back: what is assigned to that name is a transformer again.
_WAS_HOST = "_was_host"


@final
class StandIn(nn.Module):
    """image ↦ image, in the place of a transformer that a host does not have yet.

    Attributes:
        was_called: by the call of a transformer that the host has from before, by its class, its graph or a wrapper.
    """

    def __init__(self) -> None:
        super().__init__()
        self.was_called = False

    def forward(self, image: Any) -> Any:
        """The image itself."""
        return image


def put_in_front(host: nn.Module, transformer: nn.Module, is_called: bool) -> None:
    """Give a module the transformer as its child, and let it call that first, from now on.

    Args:
        host: the module behind the transformer; its class changes.
        transformer: from the host's first argument to what the host gets instead.
        is_called: the host calls its transformer already.
    """
    setattr(transformer, _MARK, True)
    if isinstance(host, fx.GraphModule):
        setattr(host, CHILD, transformer)  # before its node, which refers to it
        if not is_called:
            _put_into_graph(host)
        return
    if not is_called:
        _transform(host)
    setattr(host, CHILD, transformer)


def has_node(host: nn.Module) -> bool:
    """True for a graph in which the call of a transformer is, also after the transformer was deleted.

    Args:
        host: the module behind a transformer.
    """
    return isinstance(host, fx.GraphModule) and bool(host.graph.find_nodes(op="call_module", target=CHILD))


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

    def __delattr__(self: nn.Module, attribute: str) -> None:  # noqa: N807
        super(derived, self).__delattr__(attribute)
        if attribute == CHILD:
            release(self)

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
        "__delattr__": __delattr__,
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
    """Give a host that lost its transformer its own class and `forward` back.

    Nothing for a host whose class or `forward` somebody has wrapped since: what is inside remains, for the next
    transformer.

    Args:
        host: a module without a transformer.
    """
    derived = _class_of(host)
    own = vars(host).get("forward")
    is_transformed = isinstance(own, functools.partial) and own.func is _transformed_call
    if _MARK not in vars(derived) or not (own is None or is_transformed):
        return
    _set_class(host, derived.__base__)
    setattr(host, _WAS_HOST, True)
    if isinstance(own, functools.partial):
        host.forward = own.args[1]


def check_host(host: nn.Module) -> None:
    """Raise an InputError unless a module's class can be derived from.

    Args:
        host: the module behind a transformer.

    Raises:
        InputError: when its class refuses a subclass.
    """
    if isinstance(host, fx.GraphModule):  # which gets a node, and keeps its class
        return
    cls = _class_of(host)
    if _MARK in vars(cls):
        return
    try:
        transformed(cls)
    except Exception as error:
        raise InputError(
            f"{with_article(cls.__name__)} cannot have a transformer in front of it: {one_line(error)}"
        ) from error


def _remade(cls: Any) -> nn.Module:
    made: nn.Module = object.__new__(transformed(cls))
    return made


def _is_parametrized(host: nn.Module) -> bool:
    """True for a host whose class torch has made for its parametrizations, and removes with them."""
    names = host._modules.get("parametrizations")
    # Its tensors are properties there; those of a class above it are not its own.
    return isinstance(names, nn.ModuleDict) and not vars(type(host)).keys().isdisjoint(names.keys())


def _class_of(host: nn.Module) -> Any:
    return type(host).__bases__[0] if _is_parametrized(host) else type(host)


def _set_class(host: nn.Module, cls: Any) -> None:
    if _is_parametrized(host):
        # A new one: copies of the host have the same.
        body = dict(vars(type(host)))
        own = cls.__base__ if _MARK in vars(cls) else cls
        cls = types.new_class(f"Parametrized{own.__name__}", (cls,), exec_body=lambda made: made.update(body))
    host.__class__ = cls


def _transform(host: nn.Module) -> None:
    cls = _class_of(host)
    if _MARK not in vars(cls):
        _set_class(host, transformed(cls))
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
    if isinstance(transformer, StandIn):
        transformer.was_called = True
        return image
    # Also what somebody has put in its place.
    if isinstance(image, fx.Proxy) and (call := recorded_call(transformer, image)) is not None:
        return call
    return transformer(image)


def _put_into_graph(host: fx.GraphModule) -> None:
    placeholders = [node for node in host.graph.nodes if node.op == "placeholder"]
    with host.graph.inserting_after(placeholders[-1]):
        call = host.graph.call_module(CHILD, (placeholders[0],))
    placeholders[0].replace_all_uses_with(call, delete_user_cb=lambda user: user is not call)
    host.recompile()


def _follow_children(module: nn.Module, name: str, child: nn.Module | None) -> None:
    """Follow what becomes of hosts and their transformers.

    A host whose transformer is set to None is released, and transformed again when it gets one back. So is a module of
    torch to which a tool such as `convert_sync_batchnorm` gives the children of a host.
    """
    if name != CHILD:
        return
    is_host = getattr(type(module), _MARK, False)
    if child is None:
        if is_host:
            release(module)
        return
    if is_host or _WAS_HOST in vars(module):
        setattr(child, _MARK, True)  # one that was not inserted, too
        if not is_host:
            _transform(module)
        return
    if not getattr(child, _MARK, False):
        return
    # A container holds or calls its children by itself.
    if type(module) is nn.Module or isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        return
    of_torch = type(module).__module__.startswith("torch.nn.")
    if of_torch or isinstance(module, nn.SyncBatchNorm):
        _transform(module)


register_module_module_registration_hook(_follow_children)
