"""The outputs of an exported network by name: its own, the warped images and θ of its transformers."""

import contextlib
import itertools
import re
from collections.abc import Collection, Iterator
from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn

from stnkit.errors import InputError
from stnkit.insertion.find import find_transformers

IMAGE, WARPED, THETA = "image", "warped", "theta"


@final
class NamedOutputs(nn.Module):
    """image ↦ {output, warped, theta}: the output of a module, and what its transformers compute on the way.

    One transformer gives `warped` and `theta`; several give `warped_POINT` and `theta_POINT`, by insertion point. What
    comes under the same name a second time has `_2` behind it: of another point, or of another call of one transformer.

    Args:
        module: a network or a transformer.
        output: name of the module's own output.
        beside: the kinds of the other outputs, of "warped" and "theta".

    Example:
        >>> import torch, stnkit
        >>> from stnkit.exporting.outputs import NamedOutputs
        >>> localizer = stnkit.build("localizer", "fully_connected", in_shape=(1, 8, 8))
        >>> family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
        >>> transformer = stnkit.SpatialTransformer(localizer, family, sampler)
        >>> outputs = NamedOutputs(transformer, "warped")(torch.rand(2, 1, 8, 8))
        >>> {name: tuple(value.shape) for name, value in outputs.items()}
        {'warped': (2, 1, 8, 8), 'theta': (2, 6)}
    """

    def __init__(self, module: nn.Module, output: str, beside: Collection[str] = (WARPED, THETA)) -> None:
        super().__init__()
        self.module = module
        self.output = output
        self.beside = beside

    def forward(self, image: Float[Tensor, "B C *size"]) -> dict[str, Tensor]:
        """The outputs by name, the module's own first.

        Raises:
            InputError: when the module does not give a tensor, or its output has the name of another one.
        """
        seen: dict[str, Tensor] = {}
        with self._recording(seen):
            output = self.module(image)
        if not isinstance(output, Tensor):
            raise InputError(f"export: expected a module that gives a tensor, got {type(output).__name__}")
        if self.output in seen:
            raise InputError(f"output: expected a name that no other output has, got {self.output!r}")
        return {self.output: output} | {name: seen[name] for kind in self.beside for name in seen if is_a(kind, name)}

    @contextlib.contextmanager
    def _recording(self, seen: dict[str, Tensor]) -> Iterator[None]:
        """Record θ and the warped images of every transformer in a forward pass."""
        found = find_transformers(self.module)
        suffixes = _suffixes(found) if len(found) > 1 else dict.fromkeys(found, "")
        names = {f"{kind}{suffix}" for suffix in suffixes.values() for kind in (WARPED, THETA)}

        def record(name: str) -> Any:
            def hook(module: nn.Module, inputs: Any, value: Tensor) -> None:
                seen[_numbered(name, {*names, *seen}) if name in seen else name] = value

            return hook

        with contextlib.ExitStack() as hooks:
            for point, transformer in found.items():
                theta, warped = (record(f"{kind}{suffixes[point]}") for kind in (THETA, WARPED))
                hooks.callback(transformer.theta_probe.register_forward_hook(theta).remove)
                if transformer is not self.module:
                    hooks.callback(transformer.register_forward_hook(warped).remove)
            yield


def is_a(kind: str, name: str) -> bool:
    """True for an output of a kind, "warped" or "theta".

    Args:
        kind: of the output.
        name: of the output.
    """
    return name == kind or name.startswith(f"{kind}_")


def _suffixes(points: Collection[str]) -> dict[str, str]:
    """The suffix of the outputs of each insertion point: another one for each, and its own name where that can be."""
    identifiers = {point: re.sub(r"\W+", "_", point) for point in points}
    suffixes: dict[str, str] = {}
    for point in sorted(points, key=lambda point: identifiers[point] != point):
        suffix = f"_{identifiers[point]}"
        taken = {*suffixes.values(), *(f"_{identifier}" for identifier in identifiers.values())}
        suffixes[point] = _numbered(suffix, taken) if suffix in suffixes.values() else suffix
    return suffixes


def _numbered(name: str, taken: Collection[str]) -> str:
    return next(numbered for n in itertools.count(2) if (numbered := f"{name}_{n}") not in taken)
