"""A run directory: its record, config, checkpoints and lock."""
