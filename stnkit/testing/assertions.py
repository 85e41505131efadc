"""How a check fails, and how it compares numbers."""

import torch
from torch import Tensor

# In float64, of 16 digits: a map that solves for its weights, or adds large terms, loses half of them.
FLOAT64 = 1e-8
# In float32, in units of half an image: a hundredth of a pixel at 2,000 pixels.
FLOAT32 = 1e-5
# A method that iterates stops when it is near enough: a tenth of a pixel at 2,000 pixels.
ITERATED = 1e-4


class CheckFailed(AssertionError):  # noqa: N818 its name is what it says
    """A component does not do what its kind has to do."""


class NotApplicable(Exception):  # noqa: N818 it is no error
    """A check has nothing to say about a component, and why."""


def require(condition: object, sentence: str) -> None:
    """Fail with the sentence when the condition does not hold."""
    if not condition:
        raise CheckFailed(sentence)


def close(found: Tensor, expected: Tensor, tolerance: float, claim: str) -> None:
    """Fail when two tensors differ by more than the tolerance, where numbers are above 1 relative to them.

    Args:
        found: what the component gave.
        expected: what it has to be; what is infinite or NaN equals only itself.
        tolerance: largest difference.
        claim: what has to be so, as the beginning of a sentence.
    """
    require(
        found.shape == expected.shape, f"{claim}, but its shape is {tuple(found.shape)} and not {tuple(expected.shape)}"
    )
    if not found.numel():
        return
    found, expected = (t.detach().double().cpu().flatten() for t in (found, expected))
    error = (found - expected).abs() / expected.abs().clamp(min=1)
    same = (found == expected) | (found.isnan() & expected.isnan())
    error = torch.where(same, 0.0, error.nan_to_num(nan=torch.inf))
    worst = int(error.argmax())
    if error[worst] > tolerance:
        raise CheckFailed(
            f"{claim}, but there is {found[worst]:.7g} where {expected[worst]:.7g} is right (allowed: {tolerance:g})"
        )


def gradcheck_sentence(error: BaseException) -> str:
    """What `torch.autograd.gradcheck` found, in a line, without its advice about its modes."""
    return " ".join(str(error).split()).partition(" The above quantities")[0][:200]


def finite(found: Tensor, claim: str) -> None:
    """Fail when a tensor has an entry that is infinite or NaN."""
    n = int((~found.detach().isfinite()).sum())
    require(n == 0, f"{claim}, but {n} of {found.numel()} numbers are not")
