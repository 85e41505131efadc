"""Seeds derived from the seed of a run and a purpose."""

import hashlib

import torch


def derived_seed(*keys: int | str) -> int:
    """A 63-bit seed from keys: the seed of a run, a purpose, counters. Different keys give unrelated draws."""
    digest = hashlib.sha256(repr(keys).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(*keys: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator seeded with `derived_seed(*keys)`."""
    return torch.Generator(device=device).manual_seed(derived_seed(*keys))
