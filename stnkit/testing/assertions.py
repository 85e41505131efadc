"""The failure of a check, and comparisons of tensors that fail with one sentence."""

import torch
from torch import Tensor

# In float64, of 16 digits: a map that solves for its weights, or adds large terms, loses half of them.
FLOAT64 = 1e-8
# In float32, in units of half an image: a hundredth of a pixel at 2,000 pixels.
FLOAT32 = 1e-5
# An iteration ends within its own tolerance: a tenth of a pixel at 2,000 pixels.
ITERATED = 1e-4
# Characters of a component's own error message.
LONGEST_REASON = 300


class CheckFailed(AssertionError):  # noqa: N818 its name is what it says
    """A component breaks the contract of its kind."""


class NotApplicable(Exception):  # noqa: N818 it is no error
    """The reason why a check does not apply to a component."""


class NotBuilt(NotApplicable):
    """The reason why no object could be made: `construction` fails with it, all other checks do not apply."""


def require(condition: object, sentence: str) -> None:
    """Fail with the sentence unless the condition holds."""
    if not condition:
        raise CheckFailed(sentence)


def close(found: Tensor, expected: Tensor, tolerance: float, claim: str) -> None:
    """Fail unless two tensors agree: to the tolerance below 1 in magnitude, relative to their magnitude above.

    Args:
        found: the component's output.
        expected: the reference; an entry that is infinite or NaN equals only itself.
        tolerance: largest difference.
        claim: the property that is checked, as a sentence without its period.
    """
    shape = tuple(found.shape)
    require(found.shape == expected.shape, f"{claim}: expected shape {tuple(expected.shape)}, got {shape}")
    if not found.numel():
        return
    found, expected = (t.detach().double().cpu().flatten() for t in (found, expected))
    error = (found - expected).abs() / expected.abs().clamp(min=1)
    same = (found == expected) | (found.isnan() & expected.isnan())
    error = torch.where(same, 0.0, error.nan_to_num(nan=torch.inf))
    worst = int(error.argmax())
    if error[worst] > tolerance:
        raise CheckFailed(f"{claim}: expected {expected[worst]:.7g}, got {found[worst]:.7g} (tolerance {tolerance:g})")


def gradcheck_sentence(error: BaseException) -> str:
    """The message of `torch.autograd.gradcheck` in one line, without its advice about its modes."""
    return " ".join(str(error).split()).partition(" The above quantities")[0][:200]


def finite(found: Tensor, claim: str) -> None:
    """Fail if a tensor has an entry that is infinite or NaN."""
    n = int((~found.detach().isfinite()).sum())
    require(n == 0, f"{claim}: {n} of {found.numel()} numbers are not finite")
