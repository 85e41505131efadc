"""Spatial transformers inside of any network."""
