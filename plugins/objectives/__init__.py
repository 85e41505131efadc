"""Objectives: what a run minimizes, and the figures by which it is judged."""
