"""ITK's text files of transforms, .tfm."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from stnkit.errors import InputError
from stnkit.interop.itk.chain import chain_of
from stnkit.interop.itk.transform import COMPOSITE, Chain, Transform, of_type_name, type_name

HEADER = "#Insight Transform File V1.0"


def text_of(chain: Chain) -> str:
    """The content of a .tfm file, with every digit of float64; several transforms make a composite.

    Args:
        chain: transforms, of which the last acts first.
    """
    lines, first = [HEADER], 0
    if len(chain) > 1:
        lines += ["#Transform 0", f"Transform: {type_name(COMPOSITE, chain[0].ndim)}"]
        first = 1
    for index, each in enumerate(chain, start=first):
        lines += [
            f"#Transform {index}",
            f"Transform: {each.type_name}",
            f"Parameters: {_written(each.parameters)}",
            f"FixedParameters: {_written(each.fixed_parameters)}",
        ]
    return "\n".join(lines) + "\n"


def chain_of_text(text: str) -> Chain:
    """The transforms of a .tfm file, of which the last acts first.

    Args:
        text: of the file.

    Raises:
        InputError: when it is no such file, a number in it is none, or it is cut short.
    """
    lines = [line.strip() for line in text.splitlines()]
    if not lines or not lines[0].startswith("#Insight Transform File"):
        raise InputError(f"expected a file that begins with {HEADER!r}, got {lines[0][:40] if lines else ''!r}")
    names: list[str] = []
    values: list[dict[str, list[float]]] = []
    for line in lines:
        key, colon, rest = line.partition(":")
        if line.startswith("#") or not colon:
            continue
        if key == "Transform":
            names.append(rest.strip())
            values.append({})
        elif values:
            values[-1][key] = _read(key, rest)
    chain = chain_of(_transforms(names, values))
    for name, each in zip(names, values, strict=True):
        if each.get("Parameters") and "FixedParameters" not in each:  # without them a center would be 0
            raise InputError(f"{name}: expected a line 'FixedParameters: …', got none: the file is cut short")
    return chain


def _transforms(names: Sequence[str], values: Sequence[dict[str, list[float]]]) -> list[Transform]:
    if not names:
        raise InputError("expected a line 'Transform: …', got none")
    # A composite has no values of its own, and its transforms follow it.
    return [
        of_type_name(name, each.get("Parameters", []), each.get("FixedParameters", []))
        for name, each in zip(names, values, strict=True)
        if not name.startswith(COMPOSITE)
    ]


def _written(values: Float[np.ndarray, "n"]) -> str:
    return " ".join(map(repr, values.tolist()))


def _read(key: str, text: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError as error:
        raise InputError(f"{key}: expected numbers, got {text.strip()[:40]!r}") from error
