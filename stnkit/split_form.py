"""The form of a split, which training and the conformance kit ask of a dataset alike."""

import torch
from torch import Tensor


def fault_of_form(given: object) -> str | None:
    """The fault of what `Dataset.split` gives, as `expected …, got …`; None for a pair of dense tensors with values.

    Args:
        given: by the dataset.

    Example:
        >>> import torch
        >>> fault_of_form((torch.zeros(2, 1, 4, 4), torch.zeros(2))) is None
        True
        >>> fault_of_form(torch.zeros(2, 1, 4, 4))
        'expected two tensors, images and targets, got Tensor'
    """
    if not isinstance(given, tuple | list):
        return f"expected two tensors, images and targets, got {type(given).__name__}"
    if len(given) != 2 or not all(isinstance(part, Tensor) for part in given):
        return f"expected two tensors, images and targets, got {[type(part).__name__ for part in given]}"
    for content, part in zip(("images", "targets"), given, strict=True):
        if part.layout != torch.strided:
            return f"expected {content} in a dense tensor, got {part.layout}"
        if part.is_meta:
            return f"expected {content} with values, got a tensor on the device meta"
        if part.requires_grad:
            return f"expected {content} that require no gradient, got a tensor that does: give it by detach()"
    return None
