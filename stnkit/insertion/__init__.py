"""Spatial transformers inserted in front of any modules of any network."""

from stnkit.insertion.find import find_transformers
from stnkit.insertion.insert import insert_transformers

__all__ = ["find_transformers", "insert_transformers"]
