"""Alignment of rotated images by a trained run, and by registration to running means."""
