"""What holds for modules of every kind: a copy, a pickle and a loaded state do the same; and so does a config."""

import copy
import enum
import io
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from stnkit.plugin_system.options import REQUIRED, options_of, validate_options
from stnkit.testing.assertions import NotApplicable, close, require
from stnkit.testing.component_under_test import NotBuilt, Subject

Response = Callable[[Any], Tensor]


def after_deepcopy(module: nn.Module, respond: Response) -> None:
    """A deep copy responds alike, also when it is made of a module that was used."""
    expected = respond(module)
    close(respond(copy.deepcopy(module)), expected, 0, "a deep copy must do the same")


def after_pickle(module: nn.Module, respond: Response) -> None:
    """What is unpickled responds alike, also when the module was used."""
    expected = respond(module)
    close(respond(pickle.loads(pickle.dumps(module))), expected, 0, "a module that was pickled must do the same")


def after_state_dict(module: nn.Module, other: nn.Module, respond: Response) -> None:
    """A second module responds alike when it has loaded the state of the first, through a file of plain tensors."""
    expected = respond(module)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    close(respond(other), expected, 0, "another module with the same state must do the same")


def after_compile(module: nn.Module, respond: Response, compiled_respond: Response, wanted: list[Tensor]) -> None:
    """torch.compile(fullgraph=True) gives the same values and gradients, twice.

    Args:
        module: what is compiled.
        respond: calls it.
        compiled_respond: calls the compiled one.
        wanted: to what gradients are taken.
    """
    torch.compiler.reset()
    expected = respond(module)
    gradients = _gradients(expected, wanted)
    # Twice: what was kept while tracing would break the second call.
    for _ in range(2):
        found = compiled_respond(module)
        close(found, expected, 1e-5, "the compiled program must give the same")
        for ours, theirs in zip(_gradients(found, wanted), gradients, strict=True):
            close(ours, theirs, 1e-4, "the compiled program must have the same gradients")


def _gradients(value: Tensor, wanted: list[Tensor]) -> tuple[Tensor, ...]:
    if not value.requires_grad:
        return tuple(torch.zeros_like(t) for t in wanted)
    found = torch.autograd.grad(value.square().sum(), wanted, allow_unused=True)
    return tuple(torch.zeros_like(t) if g is None else g for g, t in zip(found, wanted, strict=True))


def through_config(subject: Subject) -> None:
    """Options that pass through a Hydra config arrive at the constructor as they were."""
    component = subject.component
    if component is None:
        raise NotApplicable("an object does not tell its options")
    from hydra import compose, initialize
    from omegaconf import OmegaConf

    from stnkit.plugin_system.hydra_configs import component_node

    supplied = component.kind.supplied
    chosen = {key: value for key, value in subject.options.items() if key not in supplied}
    options = options_of(component)
    if any(option.default is REQUIRED and option.name not in chosen for option in options):
        raise NotBuilt("it needs options that were not given")
    expected = validate_options(component, {o.name: o.default for o in options if o.default is not REQUIRED} | chosen)
    kind, name = component.kind.name, component.name
    node = component_node(component)
    overrides = [f"{kind}.{key}={_override(value)}" for key, value in chosen.items()]
    with _stored(kind, name, node), initialize(config_path=None, version_base="1.3"):
        composed = compose(overrides=[f"+{kind}={name}", *overrides])
    plain: Any = OmegaConf.to_container(composed[kind], resolve=True, enum_to_str=True)
    require(plain.pop("name", None) == name, f"the config must hold the name {name!r}")
    found = validate_options(component, plain)
    for key, value in expected.items():
        require(
            _plain(found.get(key)) == _plain(value),
            f"option {key} must pass through a config unchanged, but {value!r} became {found.get(key)!r}",
        )
    from_config = subject.with_options(**found)
    if supplied:
        next(from_config.for_images())
    else:
        from_config.built()


@contextmanager
def _stored(kind: str, name: str, node: Any) -> Iterator[None]:
    """The node in Hydra's store for a while, in place of another of its name."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    before = dict(store.repo[kind]) if kind in store.repo else None
    store.store(group=kind, name=name, node=node)
    try:
        yield
    finally:
        if before is None:
            del store.repo[kind]
        else:
            store.repo[kind] = before


def _plain(value: Any) -> Any:
    """As it stands in YAML, so that tuples equal lists and choices their names."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _override(value: Any) -> str:
    """A value in Hydra's grammar of overrides."""
    value = _plain(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_override(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_override, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
