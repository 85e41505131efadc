"""Spatial transformers inserted in front of any modules of any network."""

from stnkit.insertion.insert import insert_transformers

__all__ = ["insert_transformers"]
