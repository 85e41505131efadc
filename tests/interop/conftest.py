"""torchvision, which cannot be imported beside a torch for the CPU but by the fixture of timm."""

import importlib
import sys

import pytest


@pytest.fixture
def vision(timm, monkeypatch):
    """The module `torchvision.transforms.v2.functional`."""
    before = set(sys.modules)
    try:
        yield importlib.import_module("torchvision.transforms.v2.functional")
    finally:
        for name in set(sys.modules) - before:
            if name.startswith("torchvision"):
                del sys.modules[name]
