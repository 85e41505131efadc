"""Round trips that every module survives: a copy, a pickle, a loaded state; and its options a Hydra config."""

import copy
import enum
import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stnkit.errors import InputError
from stnkit.plugin_system import REQUIRED, Component, check_declarations, options_of, validate_options
from stnkit.testing.assertions import CheckFailed, NotApplicable, NotBuilt, close, require
from stnkit.testing.component_under_test import ComponentUnderTest

Response = Callable[[Any], Tensor]


def after_deepcopy(module: nn.Module, respond: Response) -> None:
    """A deep copy of a used module gives the same output."""
    expected = respond(module)
    close(respond(copy.deepcopy(module)), expected, 0, "a deep copy must give the same output")


def after_pickle(module: nn.Module, respond: Response) -> None:
    """A used module, pickled and unpickled, gives the same output."""
    expected = respond(module)
    close(respond(pickle.loads(pickle.dumps(module))), expected, 0, "an unpickled module must give the same output")


def after_state_dict(module: nn.Module, other: nn.Module, respond: Response) -> None:
    """A second module with the state of the first, loaded from a file of plain tensors, gives the same output."""
    expected = respond(module)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    close(respond(other), expected, 0, "another module with the same state must give the same output")


def after_compile(module: nn.Module, respond: Response, compiled_respond: Response, wanted: list[Tensor]) -> None:
    """torch.compile(fullgraph=True) gives the same values and gradients, twice.

    Args:
        module: the module that is compiled.
        respond: calls the module.
        compiled_respond: calls the compiled program.
        wanted: inputs whose gradients are compared.
    """
    torch.compiler.reset()
    expected = respond(module)
    gradients = _gradients(expected, wanted)
    # Twice: a tensor cached while tracing would break the second call.
    for _ in range(2):
        found = compiled_respond(module)
        close(found, expected, 1e-5, "the compiled program must give the same output")
        for ours, theirs in zip(_gradients(found, wanted), gradients, strict=True):
            close(ours, theirs, 1e-4, "the compiled program must have the same gradients")


def _gradients(value: Tensor, wanted: list[Tensor]) -> tuple[Tensor, ...]:
    if not value.requires_grad:
        return tuple(torch.zeros_like(t) for t in wanted)
    found = torch.autograd.grad(value.square().sum(), wanted, allow_unused=True)
    return tuple(torch.zeros_like(t) if g is None else g for g, t in zip(found, wanted, strict=True))


def through_config(under_test: ComponentUnderTest) -> None:
    """Options that are set by overrides in the schema of a Hydra config arrive at the constructor unchanged.

    Options that the class declares, in `run_control_options`, are options of the constructor.
    """
    component = under_test.component
    if component is None:
        raise NotApplicable("an object does not list its options")
    try:
        check_declarations(component)
    except InputError as error:
        raise CheckFailed(str(error)) from error
    program = component.kind.of_the_program
    chosen = {key: value for key, value in under_test.options.items() if key not in program}
    options = options_of(component)
    if any(option.default is REQUIRED and option.name not in chosen for option in options):
        raise NotBuilt("it needs options that were not given")
    expected = validate_options(component, {o.name: o.default for o in options if o.default is not REQUIRED} | chosen)
    plain = _configured(component, chosen)
    require(plain.pop("name", None) == component.name, f"the config must hold the name {component.name!r}")
    found = validate_options(component, plain)
    for key, value in expected.items():
        require(
            _as_yaml(found.get(key)) == _as_yaml(value),
            f"option {key} must pass through a config unchanged: expected {value!r}, got {found.get(key)!r}",
        )
    from_config = under_test.with_options(**found)
    if component.kind.supplied:
        next(from_config.for_images(under_test.image_shapes().taken[:1]))
    else:
        from_config.built()


def _configured(component: Component, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The component's node after overrides, merged as `hydra.compose` does it, without Hydra's own config around it."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    from stnkit.plugin_system import component_node

    kind = component.kind.name
    config = OmegaConf.create({kind: component_node(component)})
    OmegaConf.set_struct(config, True)
    words = [f"{kind}.{key}={_override(value)}" for key, value in chosen.items()]
    for override in OverridesParser.create().parse_overrides(words):
        OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
    plain: Any = OmegaConf.to_container(config[kind], resolve=True, enum_to_str=True)
    return dict(plain)


def _as_yaml(value: Any) -> Any:
    """The value as YAML has it: tuples equal lists, and choices their names."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): _as_yaml(item) for key, item in value.items()}
    return [_as_yaml(item) for item in value] if isinstance(value, list | tuple) else value


def _override(value: Any) -> str:
    """The value in the grammar of Hydra's overrides."""
    value = _as_yaml(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_override(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_override, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
