"""Seeds derived from the run's seed and what they are for."""

import hashlib

import torch


def derived_seed(*parts: int | str) -> int:
    """A 63-bit seed from a run's seed, a purpose and counters: different parts, unrelated draws."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(*parts: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator seeded with `derived_seed(*parts)`."""
    return torch.Generator(device=device).manual_seed(derived_seed(*parts))
